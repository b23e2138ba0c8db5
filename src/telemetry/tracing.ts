import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { VERSION } from '../version.js';
import type { Phase } from './decision-log.js';

/** Header names in lower case; `traceparent`, `tracestate` and `baggage` are what matters. */
export type TraceHeaders = Readonly<Record<string, string>>;

export interface SidebandSpan {
  /** For the policy provider: of our span when an SDK records it, otherwise the client's own, untouched. */
  readonly headers: TraceHeaders;
  end(result: { readonly outcome?: string; readonly status?: number; readonly errorCode?: string }): void;
}

/**
 * Opens the client span around one sideband call, child of the trace context that the API client sent. Without an
 * OpenTelemetry SDK preloaded into the process (`NODE_OPTIONS=--import …`) this costs next to nothing and the client's
 * context passes through.
 */
export function startSidebandSpan(
  phase: Phase,
  url: { readonly host: string; readonly port: number },
  incoming: TraceHeaders,
): SidebandSpan {
  const parent = propagation.extract(context.active(), incoming);
  const span: Span = trace.getTracer('ping-auth', VERSION).startSpan(
    phase === 'access' ? 'ping-auth sideband request' : 'ping-auth sideband response',
    {
      kind: SpanKind.CLIENT,
      attributes: {
        'http.request.method': 'POST',
        'server.address': url.host,
        'server.port': url.port,
        'ping_auth.phase': phase,
      },
    },
    parent,
  );
  const headers: Record<string, string> = { ...incoming };
  if (span.isRecording()) propagation.inject(trace.setSpan(parent, span), headers);
  return {
    headers,
    end({ outcome, status, errorCode }) {
      if (outcome !== undefined) span.setAttribute('ping_auth.decision', outcome);
      if (status !== undefined) span.setAttribute('http.response.status_code', status);
      if (errorCode !== undefined) {
        span.setAttribute('error.type', errorCode);
        span.setStatus({ code: SpanStatusCode.ERROR, message: errorCode });
      }
      span.end();
    },
  };
}
