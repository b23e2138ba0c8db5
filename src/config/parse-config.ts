import type * as z from 'zod';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { isJsonObject } from '../http/text.js';
import { normalizedServiceUrl } from './formats.js';
import type { KongField } from './kong-field.js';
import { certificatesOf, privateKeyOf } from './pem.js';
import {
  CONFIG_SCHEMA,
  ENTITY_CHECKS,
  FIELD_NAMES,
  FIELDS,
  type FieldName,
  type PluginConfig,
} from './schema.js';

/**
 * The configuration that Kong hands over, checked. Every value is checked again although Kong did so: vault references
 * bypass Kong's checks. Keys that Kong adds (`__seq__`, `$refs`, `route_id` …) are ignored, null counts as unset.
 *
 * @throws PingAuthError `config_invalid`; its detail names every wrong field with reason and remedy, and no secret.
 */
export function parseConfig(raw: unknown): PluginConfig {
  if (!isJsonObject(raw))
    throw invalid([`the configuration is not an object but ${raw === null ? 'null' : typeof raw}`]);
  const given: Record<string, unknown> = {};
  const absent = new Map<PropertyKey, string>();
  for (const name of FIELD_NAMES) {
    const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (value === undefined || value === null) {
      if (isRequired(name)) absent.set(name, `${name}: is missing; it is required`);
    } else if (value === '') {
      // What an unresolvable vault reference looks like by the time it arrives here.
      absent.set(name, `${name}: ${emptyProblem(name, raw.$refs)}`);
    } else {
      given[name] = isEmptyLuaTable(name, value) ? [] : value;
    }
  }
  const { data, error } = CONFIG_SCHEMA.safeParse(given);
  const problems = [...absent.values()];
  for (const issue of error?.issues ?? []) {
    if (!absent.has(issue.path[0] ?? '')) problems.push(`${pathOf(issue)}: ${issue.message}`);
  }
  if (data !== undefined && problems.length === 0) problems.push(...crossProblems(data));
  if (data === undefined || problems.length > 0) throw invalid(problems);
  return Object.freeze(data);
}

function emptyProblem(name: FieldName, refs: unknown): string {
  const reference = isJsonObject(refs) ? refs[name] : undefined;
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
  return FIELDS[name].kong.type === 'array' && isJsonObject(value) && Object.keys(value).length === 0;
}

/** What is wrong between fields that are right by themselves: one sentence each, beginning with the field's name. */
function crossProblems(config: PluginConfig): string[] {
  return [
    ...ENTITY_CHECKS.flatMap(({ mutually_required: [one, other] }) => [
      ...(config[one] === undefined && config[other] !== undefined ? [isMissing(one, other)] : []),
      ...(config[other] === undefined && config[one] !== undefined ? [isMissing(other, one)] : []),
    ]),
    ...certificateProblems(config),
    ...providerProblems(config),
    ...mcpProblems(config),
  ];
}

function isMissing(name: FieldName, partner: FieldName): string {
  return `${name}: is missing; ${partner} needs it`;
}

function certificateProblems({ client_certificate: certificate, client_key: key }: PluginConfig): string[] {
  if (certificate === undefined || key === undefined) return [];
  if (certificatesOf(certificate)[0].checkPrivateKey(privateKeyOf(key))) return [];
  return [
    'client_key: does not belong to client_certificate; give the key of its first certificate (the leaf comes first)',
  ];
}

/** No provider twice; the deciding ones must get no more calls than they decide. */
function providerProblems(config: PluginConfig): string[] {
  const seen = new Set([normalizedServiceUrl(config.service_url)]);
  const problems: string[] = [];
  for (const [index, url] of config.failover_service_urls.entries()) {
    if (seen.has(normalizedServiceUrl(url)))
      problems.push(
        `failover_service_urls[${index}]: names a policy provider that is already there; name another or remove it`,
      );
    seen.add(normalizedServiceUrl(url));
  }
  const shadow = config.shadow_service_url;
  if (shadow !== undefined && seen.has(normalizedServiceUrl(shadow)))
    problems.push('shadow_service_url: names a policy provider that decides; name another or remove it');
  return problems;
}

/** A policy that does not see the messages cannot decide about them, and ping-auth could not read them strictly. */
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

function pathOf(issue: z.core.$ZodIssue): string {
  return issue.path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

function invalid(problems: readonly string[]): PingAuthError {
  return new PingAuthError('config_invalid', { detail: problems.join(' | ') });
}
