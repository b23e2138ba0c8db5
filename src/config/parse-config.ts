import type * as z from 'zod';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { crossProblems } from './cross-checks.js';
import type { KongField } from './kong-field.js';
import type { PluginConfig } from './plugin-config.js';
import { CONFIG_SCHEMA, FIELD_NAMES, FIELDS, type FieldName } from './schema.js';

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
  return kong.required === true;
}

/** Lua has one table for `[]` and `{}`; depending on the way the configuration took, an empty list arrives as `{}`. */
function isEmptyLuaTable(name: FieldName, value: unknown): boolean {
  return FIELDS[name].kong.type === 'array' && isRecord(value) && Object.keys(value).length === 0;
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
