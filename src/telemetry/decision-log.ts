import type { IgnoredDirective } from '../directives/decision.js';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import type { OmissionReason } from '../http/message.js';
import type { ApprovalOffer } from '../mcp/approval.js';
import { redactText } from './redaction.js';

export const PHASES = ['access', 'response'] as const;
export type Phase = (typeof PHASES)[number];

/**
 * What became of one phase of one request. `permit` (access) and `pass` (response): allowed, unchanged; `change`: allowed,
 * modified; `deny`: denied by the policy; `refuse`: refused by ping-auth, `code` tells why; `fail_open`: forwarded without a
 * decision. `monitor_*`: what it would be if `mode` were not `monitor`.
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

/** `dropped`: it was not asked to the end, because a limit of the shadow's was reached. */
export const SHADOW_RESULTS = ['same', 'different', 'error', 'dropped'] as const;
export type ShadowResult = (typeof SHADOW_RESULTS)[number];

/** What is known of a request and of the call about it, whichever policy was asked. */
interface CallRecord {
  readonly phase: Phase;
  readonly requestId?: string | undefined;
  /** Id of Kong's route, as it stands in the instance's configuration. */
  readonly routeId?: string | undefined;
  readonly serviceId?: string | undefined;
  /** Of the request. */
  readonly method?: string | undefined;
  /** Of the request, escaped, without the query; in the access phase. */
  readonly path?: string | undefined;
  readonly code?: ErrorCode | undefined;
  readonly detail?: string | undefined;
  /** Origin of the policy provider that was asked; undefined when none was. */
  readonly provider?: string | undefined;
  /** The sideband call; undefined when none was made. */
  readonly providerMs?: number | undefined;
}

/** What became of one phase of one request. */
export interface DecisionRecord extends CallRecord {
  readonly outcome: Outcome;
  /** The MCP message of the request. */
  readonly mcp?: { readonly method: string; readonly name?: string | undefined } | undefined;
  /** Status the client gets, where ping-auth knows it. */
  readonly status?: number | undefined;
  /** The whole phase. */
  readonly ms?: number | undefined;
  /** Names only: see describeChanges in directives/. */
  readonly changed?: readonly string[] | undefined;
  readonly notes?: readonly IgnoredDirective[] | undefined;
  /** How an agent was told of the page where a person can approve its call. */
  readonly approval?: ApprovalOffer | undefined;
  /** Why the policy decided without the body although there is one. */
  readonly bodyNotShown?: OmissionReason | undefined;
  /** The provider's `Correlation-Id`. */
  readonly correlationId?: string | undefined;
  /** `id` of the provider's error document. */
  readonly providerErrorId?: string | undefined;
}

/** What became of one question to a shadow policy. */
export interface ShadowRecord extends CallRecord {
  readonly result: ShadowResult;
  /** `permit`, `deny 403`. */
  readonly live?: string | undefined;
  readonly shadow?: string | undefined;
  /** Names only. */
  readonly differences?: readonly string[] | undefined;
}

/** The level of the line: that of the error if there is one; a fail-open is never quieter than a warning. */
export function decisionLevel(record: DecisionRecord): 'info' | 'warn' | 'error' {
  const level = record.code === undefined ? 'info' : ERRORS[record.code].level;
  return record.outcome === 'fail_open' && level === 'info' ? 'warn' : level;
}

/** Members of the log line, in reading order. Absent ones are left out. */
export function decisionFields(record: DecisionRecord): Record<string, unknown> {
  const { mcp, notes } = record;
  return {
    event: 'decision',
    phase: record.phase,
    decision: record.outcome,
    ...requestFields(record),
    mcp: mcp && { method: text(mcp.method), name: text(mcp.name) },
    status: record.status,
    ...callFields(record),
    ms: record.ms && tenths(record.ms),
    changed: names(record.changed),
    ignored: names(notes?.map(({ what, name }) => `${what}:${name}`)),
    approval: record.approval,
    body_not_shown: record.bodyNotShown,
    correlation_id: text(record.correlationId),
    provider_error_id: text(record.providerErrorId),
  };
}

/** The same for a shadow policy. */
export function shadowFields(record: ShadowRecord): Record<string, unknown> {
  return {
    event: 'shadow',
    phase: record.phase,
    result: record.result,
    ...requestFields(record),
    live: record.live,
    shadow: record.shadow,
    differences: names(record.differences),
    ...callFields(record),
  };
}

function requestFields({ requestId, method, path, routeId, serviceId }: CallRecord) {
  const shownPath = text(path, 300);
  return {
    request_id: text(requestId),
    method: text(method),
    path: shownPath,
    route: routeId,
    service: serviceId,
  };
}

function callFields({ code, detail, provider, providerMs }: CallRecord) {
  return { code, detail: text(detail), provider, provider_ms: providerMs && tenths(providerMs) };
}

function text(value: string | undefined, characters = 600): string | undefined {
  return value === undefined || value === '' ? undefined : redactText(value, characters);
}

function names(list: readonly string[] | undefined): string[] | undefined {
  return list?.length ? list.map((name) => redactText(name, 100)) : undefined;
}

/** Milliseconds to a tenth, as log lines have them. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
