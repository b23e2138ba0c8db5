/** Configuration of ping-auth for the benches: the defaults, but with room for the largest body. */
export function benchConfig(provider: { readonly url: string; readonly ca: string }): object {
  return {
    service_url: provider.url,
    shared_secret: 'bench-secret',
    secret_header_name: 'CLIENT-TOKEN',
    ca_certificate: provider.ca,
    // A busy machine is no failure of the provider.
    connection_timeout_ms: 60_000,
    max_request_body_bytes: 16 * 1024 * 1024,
    max_response_body_bytes: 16 * 1024 * 1024,
    max_sideband_response_bytes: 64 * 1024 * 1024,
  };
}

export interface EchoProvider {
  readonly url: string;
  readonly ca: string;
}
