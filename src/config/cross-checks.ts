import { certificatesOf, privateKeyOf } from './pem.js';
import type { PluginConfig } from './plugin-config.js';
import { normalizedServiceUrl } from './service-url.js';

/** What is wrong between fields that are right by themselves: one sentence each, beginning with the field's name. */
export function crossProblems(config: PluginConfig): string[] {
  return [...clientCertificateProblems(config), ...failoverProblems(config), ...mcpProblems(config)];
}

function clientCertificateProblems(config: PluginConfig): string[] {
  const { client_certificate: certificate, client_key: key } = config;
  if (certificate === undefined && key === undefined) return [];
  if (key === undefined) return ['client_key: is missing; client_certificate needs its private key'];
  if (certificate === undefined)
    return ['client_certificate: is missing; client_key belongs to a certificate'];
  const [leaf] = certificatesOf(certificate);
  if (leaf?.checkPrivateKey(privateKeyOf(key))) return [];
  return [
    'client_key: does not belong to client_certificate; give the key of its first certificate (the leaf comes first)',
  ];
}

/** A policy that does not see the messages cannot decide about them, and nobody could read them strictly. */
function mcpProblems(config: PluginConfig): string[] {
  if (!config.mcp) return [];
  const unseen = (['send_request_body', 'send_response_body'] as const)
    .filter((name) => !config[name])
    .map((name) => `${name}: must be true with mcp; set it, or mcp to false`);
  const excluded = config.excluded_request_headers
    .filter((name) => /^mcp-/i.test(name))
    .map((name) => `excluded_request_headers: must not hold ${name} with mcp; the policy decides by it`);
  return [...unseen, ...excluded];
}

function failoverProblems(config: PluginConfig): string[] {
  const seen = new Set([normalizedServiceUrl(config.service_url)]);
  const problems: string[] = [];
  for (const [index, url] of config.failover_service_urls.entries()) {
    const normalized = normalizedServiceUrl(url);
    if (seen.has(normalized)) {
      problems.push(
        `failover_service_urls[${index}]: names a policy provider that is already there; name another or remove it`,
      );
    }
    seen.add(normalized);
  }
  return problems;
}
