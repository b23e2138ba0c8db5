import { context, propagation, type Span, type SpanOptions, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { isTracing, startSidebandSpan } from './tracing.js';

const PROVIDER = { host: 'pa.example', port: 3020 };
const INCOMING = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'v=1',
};

afterEach(() => {
  trace.disable();
  propagation.disable();
});

/** As little of an SDK as shows what it is told. */
function preloadSdk() {
  const seen: {
    name: string;
    options: SpanOptions;
    parent: string | undefined;
    attributes: Record<string, unknown>;
  }[] = [];
  const spanContext = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: '00f067aa0ba902b7',
    traceFlags: 1,
  };
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan(name, options = {}, parent) {
        const attributes: Record<string, unknown> = {};
        seen.push({ name, options, parent: parent && trace.getSpanContext(parent)?.spanId, attributes });
        return {
          isRecording: () => true,
          spanContext: () => spanContext,
          setAttribute: (key: string, value: unknown) => void Object.assign(attributes, { [key]: value }),
          setStatus: () => undefined,
          end: () => void Object.assign(attributes, { ended: true }),
        } as unknown as Span;
      },
      startActiveSpan: () => undefined as never,
    }),
  });
  propagation.setGlobalPropagator({
    fields: () => ['traceparent'],
    inject: (ctx, carrier, setter) =>
      setter.set(carrier, 'traceparent', `00-x-${trace.getSpanContext(ctx)?.spanId}-01`),
    extract(ctx, carrier, getter) {
      const [, traceId = '', spanId = ''] = String(getter.get(carrier, 'traceparent')).split('-');
      return trace.setSpanContext(ctx, { traceId, spanId, traceFlags: 1, isRemote: true });
    },
  });
  return seen;
}

describe('span around the sideband call', () => {
  it('is nothing without an SDK: the context of the client passes through', () => {
    const span = startSidebandSpan('access', PROVIDER, INCOMING);
    expect(isTracing()).toBe(false);
    expect(span.call).toMatchObject(INCOMING);
    span.end({ status: 200 });
    expect(trace.getSpan(context.active())).toBeUndefined();
  });

  it('is a child of the client’s and the parent of the provider’s with an SDK', () => {
    const seen = preloadSdk();
    const span = startSidebandSpan('response', PROVIDER, INCOMING);
    expect(isTracing()).toBe(true);
    expect(span.call).toMatchObject({ ...INCOMING, traceparent: '00-x-00f067aa0ba902b7-01' });
    span.end({ status: 503, errorCode: 'provider_failing' });
    expect(seen).toMatchObject([
      {
        name: 'ping-auth sideband response',
        parent: 'b7ad6b7169203331',
        options: { attributes: { 'server.address': 'pa.example', 'server.port': 3020 } },
        attributes: { 'http.response.status_code': 503, 'error.type': 'provider_failing', ended: true },
      },
    ]);
  });
});
