import { PingAuthError } from '../errors/ping-auth-error.js';
import type { Json, RequestPayload } from './sideband-message.js';

/** Raised when the form changes: a memo of another version is not understood, so its response is withheld. */
const MEMO_VERSION = 1;

/** How the request got past the access phase. */
export type AccessOutcome = 'permit' | 'fail_open' | 'monitor';
const OUTCOMES: readonly string[] = ['permit', 'fail_open', 'monitor'] satisfies AccessOutcome[];

/** What ties the log lines of Kong, ping-auth and the policy provider together. */
export interface Correlation {
  readonly requestId?: string;
  /** W3C trace context of the client. */
  readonly traceparent?: string;
  readonly tracestate?: string;
}

interface MemoHead {
  readonly correlation: Correlation;
  readonly outcome: AccessOutcome;
  readonly method: string;
  readonly url: string;
  readonly http_version: '1.0' | '1.1';
}

/**
 * What the access phase keeps for the response phase: `state` if the answer had one (null is a value), otherwise the
 * whole payload of the first call.
 */
export type Memo = MemoHead &
  (
    | { readonly state: Json; readonly request?: undefined }
    | { readonly state?: undefined; readonly request: RequestPayload }
  );

export function createMemo(
  outcome: AccessOutcome,
  payload: RequestPayload,
  state: Json | undefined,
  correlation: Correlation = {},
): Memo {
  const { method, url, http_version } = payload;
  const head = { correlation, outcome, method, url, http_version };
  return state === undefined ? { ...head, request: payload } : { ...head, state };
}

/** As one string: `false` and null do not survive `kong.ctx.shared`, strings do. Holds tokens: never log it. */
export function writeMemo(memo: Memo): string {
  return JSON.stringify({ v: MEMO_VERSION, ...memo });
}

/**
 * @param text what `kong.ctx.shared` gave back; undefined when there is nothing.
 * @throws PingAuthError `state_missing`: without the record of a permit the response must not pass.
 */
export function readMemo(text: string | undefined): Memo {
  if (text === undefined || text === '') throw missing('nothing was kept for this request');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw missing('what was kept is not JSON'); // without the cause: its message quotes the text
  }
  if (!isObject(value) || value.v !== MEMO_VERSION) throw missing('what was kept is of another version');
  const { correlation, outcome, method, url, http_version, state, request } = value;
  if (!isObject(correlation)) throw missing('what was kept is not complete');
  if (!isOutcome(outcome) || typeof method !== 'string' || typeof url !== 'string') {
    throw missing('what was kept is not complete');
  }
  if (http_version !== '1.0' && http_version !== '1.1') throw missing('what was kept is not complete');
  const head = { correlation: correlation as Correlation, outcome, method, url, http_version } as const;
  // Written by ourselves a moment ago; the marker version and these members say enough about the rest.
  if (state !== undefined) return { ...head, state: state as Json };
  if (!isObject(request)) throw missing('what was kept is not complete');
  return { ...head, request: request as unknown as RequestPayload };
}

function isOutcome(value: unknown): value is AccessOutcome {
  return typeof value === 'string' && OUTCOMES.includes(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function missing(detail: string): PingAuthError {
  return new PingAuthError('state_missing', { detail });
}

/**
 * Kept by monitor mode for a request that got no permit: the response phase has nothing to ask. Not a memo, so in enforce
 * mode the response is withheld.
 */
export const UNASKED = 'monitor: not permitted';
