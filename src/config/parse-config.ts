import type * as z from 'zod';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { normalizedServiceUrl } from './formats.js';
import type { KongField } from './kong-field.js';
import { certificatesOf, privateKeyOf } from './pem.js';
import { CONFIG_SCHEMA, FIELD_NAMES, FIELDS, type FieldName, type PluginConfig } from './schema.js';

/**
 * The configuration that Kong hands over, checked. Every value is checked again although Kong did so: vault references
 * bypass Kong's checks. Keys that Kong adds (`__seq__`, `$refs`, `route_id` …) are ignored, null counts as unset.
 *
 * @throws PingAuthError `config_invalid`; its detail names every wrong field with reason and remedy, and no secret.
 */
export function parseConfig(raw: unknown): PluginConfig {
  if (!isRecord(raw))
    throw invalid([`the configuration is not an object but ${raw === null ? 'null' : typeof raw}`]);
  const given: Record<string, unknown> = {};
  const problems: string[] = [];
  const complained = new Set<string>();
  for (const name of FIELD_NAMES) {
    const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (value === undefined || value === null) {
      if (isRequired(name)) report(name, 'is missing; it is required');
    } else if (value === '') {
      // What an unresolvable vault reference looks like by the time it arrives here.
      report(name, emptyProblem(name, raw.$refs));
    } else {
      given[name] = isEmptyLuaTable(name, value) ? [] : value;
    }
  }
  const result = CONFIG_SCHEMA.safeParse(given);
  if (result.success) {
    const cross = crossProblems(result.data);
    if (cross.length > 0) throw invalid(cross);
    return Object.freeze(result.data);
  }
  for (const issue of result.error.issues) {
    if (!complained.has(String(issue.path[0]))) problems.push(`${pathOf(issue)}: ${issue.message}`);
  }
  throw invalid(problems);

  function report(name: FieldName, problem: string): void {
    complained.add(name);
    problems.push(`${name}: ${problem}`);
    // Something that fails, so that an optional field with an unresolvable reference is not taken for an unset one.
    given[name] = '';
  }
}

function emptyProblem(name: FieldName, refs: unknown): string {
  const reference = isRecord(refs) ? refs[name] : undefined;
  if (typeof reference === 'string') {
    return `is empty because the vault reference ${reference} could not be resolved; check the vault and the reference`;
  }
  return 'is empty; give it a value, or check its vault reference if it has one (an unresolvable one arrives empty)';
}

function isRequired(name: FieldName): boolean {
  const kong: KongField = FIELDS[name].kong;
  return kong.required === true && kong.default === undefined;
}

/** Lua has one table for `[]` and `{}`; depending on the way the configuration took, an empty list arrives as `{}`. */
function isEmptyLuaTable(name: FieldName, value: unknown): boolean {
  return FIELDS[name].kong.type === 'array' && isRecord(value) && Object.keys(value).length === 0;
}

/** What is wrong between fields that are right by themselves: one sentence each, beginning with the field's name. */
function crossProblems(config: PluginConfig): string[] {
  return [
    ...clientCertificateProblems(config),
    ...failoverProblems(config),
    ...mcpProblems(config),
    ...shadowProblems(config),
  ];
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

/** The deciding provider must get no more calls than it decides. */
function shadowProblems(config: PluginConfig): string[] {
  const { shadow_service_url: url, shadow_shared_secret: secret } = config;
  if (url === undefined && secret === undefined) return [];
  if (secret === undefined) return ['shadow_shared_secret: is missing; shadow_service_url needs it'];
  if (url === undefined) return ['shadow_service_url: is missing; shadow_shared_secret belongs to it'];
  const deciding = [config.service_url, ...config.failover_service_urls].map(normalizedServiceUrl);
  if (!deciding.includes(normalizedServiceUrl(url))) return [];
  return ['shadow_service_url: names a policy provider that decides; name another or remove it'];
}

function pathOf(issue: z.core.$ZodIssue): string {
  return issue.path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(problems: readonly string[]): PingAuthError {
  return new PingAuthError('config_invalid', { detail: problems.join(' | ') });
}
