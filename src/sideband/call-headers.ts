import type { PluginConfig } from '../config/schema.js';
import type { HeaderList } from '../http/headers.js';
import { VERSION } from '../version.js';

/** What ties log lines and traces of client, Kong, ping-auth and provider together. */
export interface CorrelationIds {
  /** Kong's request id; goes along as X-Request-Id. */
  readonly requestId?: string | undefined;
  /** W3C Trace Context of the client. What is malformed is not passed on. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** W3C Trace Context, version 00 and its successors. */
const TRACEPARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]{0,200})?$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The client's trace context. What is malformed is left out: the headers go into our own call, so they have to be what they claim to be. */
export function traceContextOf(headers: HeaderList): Pick<CorrelationIds, 'traceparent' | 'tracestate'> {
  const traceparent = headers.get('traceparent');
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return {};
  // At most 512 characters have to be passed on.
  const tracestate = headers.getAll('tracestate').join(',');
  return { traceparent, tracestate: TRACESTATE.test(tracestate) ? tracestate : undefined };
}

/** The headers that are the same for every call, names and values by turns. undici adds Host and Content-Length. */
export function fixedHeaders(config: PluginConfig): readonly string[] {
  return [
    ...['Content-Type', 'application/json', 'Accept', 'application/json', 'User-Agent', `Kong/${VERSION}`],
    ...[config.secret_header_name, config.shared_secret],
  ];
}

/** Adds what belongs to one call. A value that cannot be sent is left out: a client must not be able to end the call. */
export function callHeaders(fixed: readonly string[], call: CorrelationIds): readonly string[] {
  const { requestId, traceparent, tracestate } = call;
  const headers = fixed.slice();
  if (requestId !== undefined && REQUEST_ID.test(requestId)) headers.push('X-Request-Id', requestId);
  if (traceparent !== undefined && TRACEPARENT.test(traceparent)) {
    headers.push('traceparent', traceparent);
    if (tracestate !== undefined && TRACESTATE.test(tracestate)) headers.push('tracestate', tracestate);
  }
  return headers;
}
