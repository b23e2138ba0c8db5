import { PingAuthError } from '../errors/ping-auth-error.js';
import type { Correlation } from '../exchange/memo.js';
import type {
  RequestAnswer,
  RequestPayload,
  ResponseAnswer,
  ResponsePayload,
} from '../exchange/sideband-message.js';
import type { Asked, CallContext } from '../sideband/sideband-client.js';
import { startSidebandSpan } from '../telemetry/tracing.js';
import type { PhaseEvent } from './host.js';
import type { Instance, Setup } from './instance.js';
import type { PhaseRecord } from './phase-record.js';

/** What surrounds every sideband call: span, correlation, cancellation, and with enable_debug_logging both messages. */
interface Asking {
  readonly instance: Instance;
  readonly setup: Setup;
  readonly correlation: Correlation;
  readonly event: PhaseEvent;
  readonly record: PhaseRecord;
}

export function askAboutRequest(payload: RequestPayload, asking: Asking): Promise<RequestAnswer> {
  const { client } = asking.setup;
  return ask('access', payload, asking, (call) => client.askAboutRequest(payload, call));
}

export function askAboutResponse(payload: ResponsePayload, asking: Asking): Promise<ResponseAnswer> {
  const { client } = asking.setup;
  return ask('response', payload, asking, (call) => client.askAboutResponse(payload, call));
}

async function ask<A>(
  phase: 'access' | 'response',
  payload: unknown,
  { instance, setup, correlation, event, record }: Asking,
  send: (call: CallContext) => Promise<Asked<A>>,
): Promise<A> {
  const { config } = setup;
  const { requestId, ...trace } = correlation;
  const span = startSidebandSpan(phase, setup.address, trace);
  const debug = (result: { provider: string; ms?: number | undefined; answer: unknown }) => {
    const { telemetry, routeId: route, serviceId: service } = instance;
    if (!config.enable_debug_logging && telemetry.record === undefined) return;
    const secretHeaderName = config.secret_header_name;
    const exchange = { phase, requestId, route, service, payload, secretHeaderName, ...result };
    if (config.enable_debug_logging) telemetry.sidebandExchange(exchange);
    telemetry.record?.(exchange);
  };
  try {
    const asked = await send({
      ...(requestId !== undefined && { requestId }),
      ...span.headers,
      ...(event.signal && { signal: event.signal }),
    });
    const { provider, durationMs, correlationId, answer } = asked;
    record.note({ provider, providerMs: durationMs, ...(correlationId !== undefined && { correlationId }) });
    span.end({ status: 200 });
    debug({ provider, ms: durationMs, answer });
    return answer;
  } catch (thrown) {
    const code = thrown instanceof PingAuthError ? thrown.code : 'internal_error';
    span.end({ errorCode: code });
    const call = thrown instanceof PingAuthError ? thrown.call : {};
    debug({
      provider: call.provider ?? config.service_url,
      ms: call.durationMs,
      answer: `no decision: ${code}`,
    });
    throw thrown;
  }
}
