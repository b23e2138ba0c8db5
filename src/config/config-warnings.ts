import { isLoopback } from './formats.js';
import { certificatesOf } from './pem.js';
import type { PluginConfig } from './schema.js';

/** What is allowed but should not go unnoticed; logged once per instance. `now`: milliseconds since 1970. */
export function configWarnings(config: PluginConfig, now: number = Date.now()): string[] {
  const warnings: string[] = [];
  const urls = [config.service_url, ...config.failover_service_urls];
  if (urls.some(isPlainRemote)) {
    warnings.push(
      'service_url: http:// to another machine sends the secret and every request unencrypted; use https://',
    );
  }
  if (config.shadow_service_url !== undefined && isPlainRemote(config.shadow_service_url)) {
    warnings.push(
      'shadow_service_url: http:// to another machine sends the secret and every request unencrypted; use https://',
    );
  }
  if (!config.verify_service_certificate && urls.some((url) => url.toLowerCase().startsWith('https:'))) {
    warnings.push(
      'verify_service_certificate: is false, so anybody on the network path can answer for the policy provider; set ca_certificate instead',
    );
  }
  if (config.mode === 'monitor') {
    warnings.push('mode: is monitor, so decisions are only logged and nothing is protected');
  }
  if (config.fail_open_request) {
    warnings.push(
      'fail_open_request: is true, so requests pass unchecked while the policy provider is unreachable',
    );
  }
  if (config.fail_open_response) {
    warnings.push(
      'fail_open_response: is true, so responses pass unfiltered while the policy provider is unreachable',
    );
  }
  if (config.fail_open_scope === 'unavailable' && (config.fail_open_request || config.fail_open_response)) {
    warnings.push(
      'fail_open_scope: is unavailable, so a client that can make the policy provider slow or fail gets its messages past the policy; use unreachable',
    );
  }
  if (config.opaque_bodies === 'allow_unreadable') {
    warnings.push(
      'opaque_bodies: is allow_unreadable, so a client hides a body from the policy by one wrong byte or an unknown Content-Encoding',
    );
  }
  if (config.encoded_request_bodies === 'forward' && !config.mcp) {
    warnings.push(
      'encoded_request_bodies: is forward, so an upstream that reads a compressed body differently reads what the policy never saw',
    );
  }
  if (config.connection_timeout_ms > 50_000 && config.call_timeout_ms === undefined) {
    warnings.push(
      "connection_timeout_ms: is over 50000; calls end after 50 seconds, before Kong's own limit of 60",
    );
  }
  if (
    Math.max(config.max_request_body_bytes, config.max_response_body_bytes) >
    config.max_sideband_response_bytes
  ) {
    warnings.push(
      'max_sideband_response_bytes: is smaller than the largest body, so an answer that returns such a body is refused',
    );
  }
  return warnings.concat(expiryWarnings(config, now));
}

function isPlainRemote(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isLoopback(hostname);
}

function expiryWarnings(config: PluginConfig, now: number): string[] {
  const warnings: string[] = [];
  for (const field of ['ca_certificate', 'client_certificate', 'shadow_ca_certificate'] as const) {
    const pem = config[field];
    if (pem === undefined) continue;
    for (const certificate of certificatesOf(pem)) {
      if (Date.parse(certificate.validTo) < now) {
        warnings.push(
          `${field}: ${certificate.subject.replaceAll('\n', ', ')} expired on ${certificate.validTo}`,
        );
      }
    }
  }
  return warnings;
}
