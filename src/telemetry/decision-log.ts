import type { Note, RequestChanges, ResponseChanges } from '../directives/decision.js';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { redactText } from './redaction.js';

export const PHASES = ['access', 'response'] as const;
export type Phase = (typeof PHASES)[number];

/**
 * What became of one phase of one request. `permit` (access) and `pass` (response): nothing was changed; `change`: it
 * went on changed; `deny`: the policy said no; `refuse`: ping-auth said no, `code` tells why; `fail_open`: it went on
 * without the policy's say. `monitor_*`: what would have become of it, had `mode` not been `monitor`.
 */
export const OUTCOMES = [
  'permit',
  'pass',
  'change',
  'deny',
  'refuse',
  'fail_open',
  'monitor_permit',
  'monitor_pass',
  'monitor_change',
  'monitor_deny',
  'monitor_refuse',
  'monitor_fail_open',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface DecisionRecord {
  readonly phase: Phase;
  readonly outcome: Outcome;
  readonly requestId?: string | undefined;
  /** Id of Kong's route, as it stands in the instance's configuration. */
  readonly routeId?: string | undefined;
  readonly serviceId?: string | undefined;
  /** Status the client gets, where ping-auth knows it. */
  readonly status?: number | undefined;
  /** Origin of the policy provider that was asked; undefined when none was. */
  readonly provider?: string | undefined;
  /** The sideband call; undefined when none was made. */
  readonly providerMs?: number | undefined;
  /** The whole phase. */
  readonly ms?: number | undefined;
  /** Names only: see changedInRequest and changedInResponse. */
  readonly changed?: readonly string[] | undefined;
  readonly notes?: readonly Note[] | undefined;
  readonly code?: ErrorCode | undefined;
  readonly detail?: string | undefined;
  /** The provider's `Correlation-Id`. */
  readonly correlationId?: string | undefined;
  /** `id` of the provider's error document. */
  readonly providerErrorId?: string | undefined;
}

/** Names of what changed, never a value: `method`, `path`, `query`, `host`, `header:x-a`, `-header:x-b` (removed), `body`. */
export function changedInRequest(changes: RequestChanges): string[] {
  const parts: string[] = [];
  if (changes.method !== undefined) parts.push('method');
  if (changes.path !== undefined) parts.push('path');
  if (changes.query !== undefined) parts.push('query');
  if (changes.host !== undefined) parts.push('host');
  parts.push(...changedHeaders(changes.headers));
  if (changes.body !== undefined) parts.push('body');
  return parts;
}

export function changedInResponse(changes: ResponseChanges): string[] {
  const parts = changedHeaders(changes.headers);
  if (changes.status !== undefined) parts.unshift('status');
  if (changes.body !== undefined) parts.push('body');
  return parts;
}

function changedHeaders(headers: RequestChanges['headers']): string[] {
  const set = [...headers.set.keys()].map((name) => `header:${name}`);
  return [...set, ...headers.remove.map((name) => `-header:${name}`)];
}

/** The level of the line: that of the error if there is one; a fail-open is never quieter than a warning. */
export function decisionLevel(record: DecisionRecord): 'info' | 'warn' | 'error' {
  const level = record.code === undefined ? 'info' : ERRORS[record.code].level;
  return record.outcome.endsWith('fail_open') && level === 'info' ? 'warn' : level;
}

/** Members of the log line, in reading order. Absent ones are left out. */
export function decisionFields(record: DecisionRecord): Record<string, unknown> {
  const { changed, notes } = record;
  const fields: Record<string, unknown> = {
    event: 'decision',
    phase: record.phase,
    decision: record.outcome,
    request_id: text(record.requestId),
    route: record.routeId,
    service: record.serviceId,
    status: record.status,
    code: record.code,
    detail: text(record.detail),
    provider: record.provider,
    provider_ms: rounded(record.providerMs),
    ms: rounded(record.ms),
    changed: changed?.length ? changed.map((name) => redactText(name, 100)) : undefined,
    ignored: notes?.length ? notes.map((note) => redactText(`${note.what}:${note.name}`, 100)) : undefined,
    correlation_id: text(record.correlationId),
    provider_error_id: text(record.providerErrorId),
  };
  return fields;
}

/** For `kong.log.set_serialize_value`: what Kong's own log plugins (file-log, http-log, …) get to see of the decision. */
export function serializeValues(record: DecisionRecord): [key: string, value: string | number][] {
  const prefix = record.phase === 'access' ? 'ping_auth' : 'ping_auth.response';
  const values: [string, string | number][] = [[`${prefix}.decision`, record.outcome]];
  const providerMs = rounded(record.providerMs);
  if (providerMs !== undefined) values.push([`${prefix}.provider_ms`, providerMs]);
  if (record.code !== undefined) values.push([`${prefix}.error`, record.code]);
  return values;
}

function text(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : redactText(value, 600);
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}
