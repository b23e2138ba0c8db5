import type { PluginConfig } from '../config/plugin-config.js';
import { VERSION } from '../version.js';
import type { CallContext } from './sideband-client.js';

/** W3C Trace Context, version 00 and its successors; what a client sends that does not fit is not passed on. */
const TRACEPARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]{0,200})?$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The headers that are the same for every call, names and values by turns. undici adds Host and Content-Length. */
export function fixedHeaders(config: PluginConfig): readonly string[] {
  return [
    'Content-Type',
    'application/json',
    'Accept',
    'application/json',
    'User-Agent',
    `Kong/${VERSION}`,
    config.secret_header_name,
    config.shared_secret,
  ];
}

/** Adds what belongs to one call. A value that could not travel is left out: a client must not be able to end the call. */
export function callHeaders(fixed: readonly string[], call: CallContext): readonly string[] {
  const { requestId, traceparent, tracestate } = call;
  const headers = [...fixed];
  if (requestId !== undefined && REQUEST_ID.test(requestId)) headers.push('X-Request-Id', requestId);
  if (traceparent !== undefined && TRACEPARENT.test(traceparent)) {
    headers.push('traceparent', traceparent);
    if (tracestate !== undefined && TRACESTATE.test(tracestate)) headers.push('tracestate', tracestate);
  }
  return headers;
}
