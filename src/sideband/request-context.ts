import { PingAuthError } from '../errors/ping-auth-error.js';

/** Raised when the form changes: a request context of another version is not understood, so its response is withheld. */
const VERSION = 3;

/** How the request got past the access phase. */
export type AccessOutcome = 'permit' | 'fail_open' | 'monitor';
const OUTCOMES: readonly string[] = ['permit', 'fail_open', 'monitor'] satisfies AccessOutcome[];

/**
 * What the access phase keeps for the response phase, as one string in `kong.ctx.shared` (`false` and null do not survive
 * there, strings do): version and length, a line about the request, then the parts of the second call's payload, ready to be
 * put in. They are put in unread, so the length is there to tell when some of it is missing. There is no checksum: whoever could
 * change the text, another plugin in Kong, could write a fitting one.
 */
export interface RequestContext {
  readonly outcome: AccessOutcome;
  readonly method: string;
  /** Of the MCP message that the request carried, with the id that its response has to have; undefined without one. */
  readonly mcp?: RequestContextMessage | undefined;
  /** Kong's request id, and the W3C trace context of the client: they tie everybody's log lines together. */
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  /** `"method":…,"url":…,"http_version":…` */
  readonly target: string;
  /** `"state":…` if the answer had one (null is a value), otherwise `"request":…` with the first call's payload. */
  readonly kept: string;
}

/** A message of the Model Context Protocol, as far as its response has to know it. */
export interface RequestContextMessage {
  /** undefined: a notification, which has no response. */
  readonly id?: string | number | undefined;
  readonly method: string;
  /** The tool, prompt or resource. */
  readonly name?: string | undefined;
}

/** The member of the second payload that says what the policy knew: its own state, or all that it was shown. */
export function retainedPayload(payload: string, state: string | undefined): string {
  return state === undefined ? `"request":${payload}` : `"state":${state}`;
}

/** Holds tokens: never log it. */
export function writeRequestContext(requestContext: RequestContext): string {
  const { outcome, method, requestId, traceparent, tracestate, mcp } = requestContext;
  // JSON has no line feeds in it unless somebody formats it, and only the last part is not written by us.
  const line = JSON.stringify([outcome, method, requestId, traceparent, tracestate, mcp]);
  const text = `${line}\n${requestContext.target}\n${requestContext.kept}`;
  return `${VERSION} ${text.length}\n${text}`;
}

/**
 * @param text what `kong.ctx.shared` gave back; undefined when there is nothing.
 * @throws PingAuthError `state_missing`: without the record of a permit the response must not pass.
 */
export function readRequestContext(text: string | undefined): RequestContext {
  if (text === undefined || text === '') throw missing('nothing was kept for this request');
  if (!text.startsWith(`${VERSION} `)) throw missing('what was kept is of another version');
  const headEnd = text.indexOf('\n');
  const lineEnd = text.indexOf('\n', headEnd + 1);
  const targetEnd = text.indexOf('\n', lineEnd + 1);
  if (headEnd < 0 || text.slice(2, headEnd) !== String(text.length - headEnd - 1)) {
    throw missing('what was kept is not whole');
  }
  const line = parseLine(text.slice(headEnd + 1, lineEnd));
  const [outcome, method, requestId, traceparent, tracestate, mcp] = line;
  const target = text.slice(lineEnd + 1, targetEnd);
  const kept = text.slice(targetEnd + 1);
  if (!isOutcome(outcome) || typeof method !== 'string' || !target.startsWith('"method":')) {
    throw missing('what was kept is not complete');
  }
  if (!kept.startsWith('"state":') && !kept.startsWith('"request":{')) {
    throw missing('what was kept is not complete');
  }
  return {
    outcome,
    method,
    requestId: textOrNone(requestId),
    traceparent: textOrNone(traceparent),
    tracestate: textOrNone(tracestate),
    mcp: isMessage(mcp) ? mcp : undefined,
    target,
    kept,
  };
}

/** Written by ourselves. */
function isMessage(value: unknown): value is RequestContextMessage {
  return typeof value === 'object' && value !== null && 'method' in value;
}

function parseLine(line: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value : [];
  } catch {
    throw missing('what was kept is not JSON'); // without the cause: its message quotes the text
  }
}

function textOrNone(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isOutcome(value: unknown): value is AccessOutcome {
  return typeof value === 'string' && OUTCOMES.includes(value);
}

function missing(detail: string): PingAuthError {
  return new PingAuthError('state_missing', { detail });
}

/**
 * Kept by monitor mode for a request that got no permit: the response phase has nothing to ask. No request context, so in enforce
 * mode the response is withheld.
 */
export const NOT_EVALUATED = 'monitor: not permitted';
