import type { ProviderAddress } from '../../dev/policy-provider/echo.js';

/** Configuration of ping-auth for the benches: the defaults, but with room for the largest body. */
export function benchConfig({ url, ca }: ProviderAddress): object {
  return {
    service_url: url,
    shared_secret: 'bench-secret',
    secret_header_name: 'CLIENT-TOKEN',
    ...(ca === undefined ? {} : { ca_certificate: ca }),
    // A busy machine is no failure of the provider.
    connection_timeout_ms: 60_000,
    max_request_body_bytes: 16 * 1024 * 1024,
    max_request_context_bytes: 64 * 1024 * 1024,
    max_response_body_bytes: 16 * 1024 * 1024,
    max_sideband_response_bytes: 64 * 1024 * 1024,
  };
}
