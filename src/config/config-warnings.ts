import { isLoopback } from './formats.js';
import { certificatesOf } from './pem.js';
import type { PluginConfig } from './schema.js';

const UNENCRYPTED = 'http:// to another machine sends the secret and every request unencrypted; use https://';

/** What is allowed but should not go unnoticed; logged once per instance. `now`: milliseconds since 1970. */
export function configWarnings(config: PluginConfig, now: number = Date.now()): string[] {
  const urls = [config.service_url, ...config.failover_service_urls];
  const shadow = config.shadow_service_url;
  const warnings = [
    urls.some(isPlainRemote) && `service_url: ${UNENCRYPTED}`,
    shadow !== undefined && isPlainRemote(shadow) && `shadow_service_url: ${UNENCRYPTED}`,
    !config.verify_service_certificate &&
      urls.some((url) => url.toLowerCase().startsWith('https:')) &&
      'verify_service_certificate: is false, so anybody on the network path can answer for the policy provider; set ca_certificate instead',
    config.mode === 'monitor' && 'mode: is monitor, so decisions are only logged and nothing is protected',
    config.fail_open_request &&
      'fail_open_request: is true, so requests pass unchecked while the policy provider is unreachable',
    config.fail_open_response &&
      'fail_open_response: is true, so responses pass unfiltered while the policy provider is unreachable',
    config.fail_open_scope === 'unavailable' &&
      (config.fail_open_request || config.fail_open_response) &&
      'fail_open_scope: is unavailable, so a client that can make the policy provider slow or fail gets its messages past the policy; use unreachable',
    config.opaque_bodies === 'allow_unreadable' &&
      'opaque_bodies: is allow_unreadable, so a client hides a body from the policy by one wrong byte or an unknown Content-Encoding',
    config.encoded_request_bodies === 'forward' &&
      !config.mcp &&
      'encoded_request_bodies: is forward, so an upstream that reads a compressed body differently reads what the policy never saw',
    config.connection_timeout_ms > 50_000 &&
      config.call_timeout_ms === undefined &&
      "connection_timeout_ms: is over 50000; calls end after 50 seconds, before Kong's own limit of 60",
    Math.max(config.max_request_body_bytes, config.max_response_body_bytes) >
      config.max_sideband_response_bytes &&
      'max_sideband_response_bytes: is smaller than the largest body, so an answer that returns such a body is refused',
  ];
  return [...warnings.filter((warning) => warning !== false), ...expiryWarnings(config, now)];
}

function isPlainRemote(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isLoopback(hostname);
}

function expiryWarnings(config: PluginConfig, now: number): string[] {
  const fields = ['ca_certificate', 'client_certificate', 'shadow_ca_certificate'] as const;
  return fields.flatMap((field) => {
    const pem = config[field];
    return (pem === undefined ? [] : certificatesOf(pem))
      .filter(({ validTo }) => Date.parse(validTo) < now)
      .map(({ subject, validTo }) => `${field}: ${subject.replaceAll('\n', ', ')} expired on ${validTo}`);
  });
}
