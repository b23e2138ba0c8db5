import { PingAuthError } from '../errors/ping-auth-error.js';

/** Raised when the form changes: a request context of another version is not understood, so its response is withheld. */
const VERSION = 3;
/** With a part for the shadow policy. A request without one stays readable for the version before. */
const VERSION_WITH_SHADOW = 4;

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
  /** Only of a request about which the shadow policy is asked. */
  readonly shadow?: ShadowContext | undefined;
}

/** What the shadow policy is asked and compared with, after the response phase. */
export interface ShadowContext {
  /** JSON text: the live decision about the request. */
  readonly live: string;
  /** The first call's payload. */
  readonly payload: string;
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
  const { outcome, method, requestId, traceparent, tracestate, mcp, target, kept, shadow } = requestContext;
  const facts = [outcome, method, requestId, traceparent, tracestate, mcp];
  // JSON has no line feeds in it unless somebody formats it, and only the last part is not written by us.
  if (shadow === undefined) {
    const text = `${JSON.stringify(facts)}\n${target}\n${kept}`;
    return `${VERSION} ${text.length}\n${text}`;
  }
  const tail = shadowTail(kept, shadow);
  const text = `${JSON.stringify([...facts, shadow.live, tail.length])}\n${target}\n${kept}${tail}`;
  return `${VERSION_WITH_SHADOW} ${text.length}\n${text}`;
}

/**
 * @param text what `kong.ctx.shared` gave back; undefined when there is nothing.
 * @throws PingAuthError `state_missing`: without the record of a permit the response must not pass.
 */
export function readRequestContext(text: string | undefined): RequestContext {
  if (text === undefined || text === '') throw missing('nothing was kept for this request');
  const hasShadow = text.startsWith(`${VERSION_WITH_SHADOW} `);
  if (!hasShadow && !text.startsWith(`${VERSION} `)) throw missing('what was kept is of another version');
  const headEnd = text.indexOf('\n');
  const lineEnd = text.indexOf('\n', headEnd + 1);
  const targetEnd = text.indexOf('\n', lineEnd + 1);
  if (headEnd < 0 || text.slice(2, headEnd) !== String(text.length - headEnd - 1)) {
    throw missing('what was kept is not whole');
  }
  const line = parseLine(text.slice(headEnd + 1, lineEnd));
  const [outcome, method, requestId, traceparent, tracestate, mcp, live, tailLength] = line;
  const target = text.slice(lineEnd + 1, targetEnd);
  const tailStart = hasShadow ? text.length - Number(tailLength) : text.length;
  if (!(tailStart > targetEnd)) throw missing('what was kept is not complete');
  const kept = text.slice(targetEnd + 1, tailStart);
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
    ...(hasShadow &&
      typeof live === 'string' && { shadow: { live, payload: payloadOf(kept, text.slice(tailStart)) } }),
  };
}

/** How many characters the shadow policy adds to a request context. */
export function shadowCharacters(kept: string, shadow: ShadowContext): number {
  return shadowTail(kept, shadow).length + shadow.live.length;
}

/** Without a state of the live policy the payload is there already. */
function shadowTail(kept: string, { payload }: ShadowContext): string {
  return kept.startsWith(REQUEST_MEMBER) ? '' : payload;
}

function payloadOf(kept: string, tail: string): string {
  return kept.startsWith(REQUEST_MEMBER) ? kept.slice(REQUEST_MEMBER.length) : tail;
}

const REQUEST_MEMBER = '"request":';

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
