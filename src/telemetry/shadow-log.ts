import type { ErrorCode } from '../errors/catalogue.js';
import { type Phase, tenths } from './decision-log.js';
import { redactText } from './redaction.js';

/** `dropped`: it was not asked to the end, because a limit of the shadow's was reached. */
export const SHADOW_RESULTS = ['same', 'different', 'error', 'dropped'] as const;
export type ShadowResult = (typeof SHADOW_RESULTS)[number];

/** What became of one question to a shadow policy. */
export interface ShadowRecord {
  readonly phase: Phase;
  readonly result: ShadowResult;
  readonly requestId?: string | undefined;
  readonly routeId?: string | undefined;
  readonly serviceId?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** `permit`, `deny 403`. */
  readonly live?: string | undefined;
  readonly shadow?: string | undefined;
  /** Names only. */
  readonly differences?: readonly string[] | undefined;
  readonly code?: ErrorCode | undefined;
  readonly detail?: string | undefined;
  readonly provider?: string | undefined;
  readonly providerMs?: number | undefined;
}

/** Members of the log line, in reading order. Absent ones are left out. */
export function shadowFields(record: ShadowRecord): Record<string, unknown> {
  const { path, differences, detail } = record;
  return {
    event: 'shadow',
    phase: record.phase,
    result: record.result,
    request_id: record.requestId && redactText(record.requestId, 600),
    method: record.method && redactText(record.method, 600),
    path: path === undefined ? undefined : redactText(path, 300),
    route: record.routeId,
    service: record.serviceId,
    live: record.live,
    shadow: record.shadow,
    differences: differences?.length ? differences.map((name) => redactText(name, 100)) : undefined,
    code: record.code,
    detail: detail === undefined ? undefined : redactText(detail, 600),
    provider: record.provider,
    provider_ms: record.providerMs && tenths(record.providerMs),
  };
}
