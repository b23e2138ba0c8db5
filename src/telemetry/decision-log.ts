import type { IgnoredDirective } from '../directives/decision.js';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import type { OmissionReason } from '../http/message.js';
import type { ApprovalOffer } from '../mcp/approval.js';
import { redactText } from './redaction.js';

export const PHASES = ['access', 'response'] as const;
export type Phase = (typeof PHASES)[number];

/**
 * What became of one phase of one request. `permit` (access) and `pass` (response): nothing was changed; `change`: it
 * went on changed; `deny`: denied by the policy; `refuse`: refused by ping-auth, `code` tells why; `fail_open`: it went on
 * without a decision. `monitor_*`: what would have become of it, had `mode` not been `monitor`.
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
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface DecisionRecord {
  readonly phase: Phase;
  readonly outcome: Outcome;
  readonly requestId?: string | undefined;
  /** Id of Kong's route, as it stands in the instance's configuration. */
  readonly routeId?: string | undefined;
  readonly serviceId?: string | undefined;
  /** Of the request. */
  readonly method?: string | undefined;
  /** Of the request, escaped, without the query; in the access phase. */
  readonly path?: string | undefined;
  /** The MCP message of the request. */
  readonly mcp?: { readonly method: string; readonly name?: string | undefined } | undefined;
  /** Status the client gets, where ping-auth knows it. */
  readonly status?: number | undefined;
  /** Origin of the policy provider that was asked; undefined when none was. */
  readonly provider?: string | undefined;
  /** The sideband call; undefined when none was made. */
  readonly providerMs?: number | undefined;
  /** The whole phase. */
  readonly ms?: number | undefined;
  /** Names only: see describeChanges in directives/. */
  readonly changed?: readonly string[] | undefined;
  readonly notes?: readonly IgnoredDirective[] | undefined;
  /** How an agent was told of the page where a person can approve its call. */
  readonly approval?: ApprovalOffer | undefined;
  /** Why the policy decided without the body although there is one. */
  readonly bodyNotShown?: OmissionReason | undefined;
  readonly code?: ErrorCode | undefined;
  readonly detail?: string | undefined;
  /** The provider's `Correlation-Id`. */
  readonly correlationId?: string | undefined;
  /** `id` of the provider's error document. */
  readonly providerErrorId?: string | undefined;
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
    method: text(record.method),
    path: record.path === undefined ? undefined : redactText(record.path, 300),
    route: record.routeId,
    service: record.serviceId,
    mcp: record.mcp && { method: text(record.mcp.method), name: text(record.mcp.name) },
    status: record.status,
    code: record.code,
    detail: text(record.detail),
    provider: record.provider,
    provider_ms: record.providerMs && tenths(record.providerMs),
    ms: record.ms && tenths(record.ms),
    changed: changed?.length ? changed.map((name) => redactText(name, 100)) : undefined,
    ignored: notes?.length ? notes.map((note) => redactText(`${note.what}:${note.name}`, 100)) : undefined,
    approval: record.approval,
    body_not_shown: record.bodyNotShown,
    correlation_id: text(record.correlationId),
    provider_error_id: text(record.providerErrorId),
  };
  return fields;
}

function text(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : redactText(value, 600);
}

/** Milliseconds to a tenth, as log lines have them. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
