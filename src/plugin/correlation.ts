import type { Correlation } from '../exchange/memo.js';
import type { RequestReading } from '../gateway/gateway.js';

/** Kong's request id and the client's W3C trace context, as they pass on to the policy provider. */
export function correlationOf({ requestId, request }: RequestReading): Correlation {
  const traceparent = request.headers.get('traceparent');
  const tracestate = request.headers.getAll('tracestate').join(',');
  return {
    ...(requestId !== undefined && { requestId }),
    ...(isTraceParent(traceparent) && { traceparent, ...(isVisibleAscii(tracestate) && { tracestate }) }),
  };
}

/** A client's header goes into our own call, so it has to be what it claims to be. */
function isTraceParent(value: string | undefined): value is string {
  return value !== undefined && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value);
}

/** W3C: at most 512 characters have to be passed on; what is longer or odd is left out. */
function isVisibleAscii(value: string): boolean {
  return /^[\x20-\x7e]{1,512}$/.test(value);
}
