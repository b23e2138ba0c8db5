import {
  context,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { CallContext } from '../sideband/sideband-client.js';
import { VERSION } from '../version.js';
import type { Phase } from './decision-log.js';

/** What a provider without an SDK delegates to. */
const NO_SDK = new ProxyTracerProvider().getDelegate();

/** Whether an OpenTelemetry SDK is there (preloaded with `NODE_OPTIONS=--import …`); without one there is no span to open. */
export function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  return (provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider) !== NO_SDK;
}

export interface SidebandSpan {
  /** For the call: the trace context is that of our span when an SDK records it, otherwise the client's own, untouched. */
  readonly call: CallContext;
  end(result: { readonly status?: number; readonly errorCode?: string }): void;
}

/** Opens the client span around one sideband call, child of the trace context that the API client sent. */
export function startSidebandSpan(
  phase: Phase,
  url: { readonly host: string; readonly port: number },
  incoming: CallContext,
): SidebandSpan {
  const { traceparent, tracestate } = incoming;
  const headers: Record<string, string> = {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
  const parent = propagation.extract(context.active(), headers);
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
  if (span.isRecording()) propagation.inject(trace.setSpan(parent, span), headers);
  return {
    call: { ...incoming, traceparent: headers.traceparent, tracestate: headers.tracestate },
    end({ status, errorCode }) {
      if (status !== undefined) span.setAttribute('http.response.status_code', status);
      if (errorCode !== undefined) {
        span.setAttribute('error.type', errorCode);
        span.setStatus({ code: SpanStatusCode.ERROR, message: errorCode });
      }
      span.end();
    },
  };
}
