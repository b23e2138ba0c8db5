import type { PluginConfig } from '../config/plugin-config.js';
import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';
import type {
  RequestAnswer,
  RequestPayload,
  ResponseAnswer,
  ResponsePayload,
} from '../exchange/sideband-message.js';
import { callHeaders, fixedHeaders } from './call-headers.js';
import type { CallFinished, SidebandObserver, SidebandPhase } from './observer.js';
import { Patience } from './patience.js';
import { callTimeoutMs, providersOf } from './provider.js';
import { type CallSettings, SidebandCall } from './sideband-call.js';
import { PROCESS_RUNTIME, type ProviderStatus, type SidebandRuntime } from './sideband-runtime.js';
import { readRequestAnswer, readResponseAnswer } from './wire-answers.js';

export type { CircuitChanged, ProviderFailed, SidebandObserver, StaleConnection } from './observer.js';
export type { CallFinished, ProviderStatus, SidebandPhase };

/** What belongs to one call. */
export interface CallContext {
  /** Kong's request id; goes along as X-Request-Id. */
  readonly requestId?: string;
  /** W3C Trace Context of the client. What is malformed is not passed on. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** Aborted when the client goes away: the call ends with `client_gone`. */
  readonly signal?: AbortSignal;
}

export interface Asked<A> {
  readonly answer: A;
  /** The provider that answered: scheme, host, port and path. */
  readonly provider: string;
  /** Of the whole call: queue, retries and failover included. */
  readonly durationMs: number;
  /** The provider's `Correlation-Id`. */
  readonly correlationId?: string;
}

/**
 * The policy provider as one instance of the plugin sees it. Only a 200 with an object of the right shape is an answer;
 * everything else is thrown as PingAuthError with a code of the catalogue and `call` filled in.
 */
export interface SidebandClient {
  askAboutRequest(payload: RequestPayload, call: CallContext): Promise<Asked<RequestAnswer>>;
  askAboutResponse(payload: ResponsePayload, call: CallContext): Promise<Asked<ResponseAnswer>>;
  /** The instance is closed. Connections stay for others, and calls under way end normally. */
  release(): void;
}

export function createSidebandClient(
  config: PluginConfig,
  observer: SidebandObserver = {},
  runtime: SidebandRuntime = PROCESS_RUNTIME,
): SidebandClient {
  const providers = providersOf(config);
  const timeoutMs = callTimeoutMs(config);
  const headers = fixedHeaders(config);
  const settings: CallSettings = {
    runtime,
    observer,
    providers,
    circuit: { failures: config.circuit_failures, openMs: config.circuit_open_ms },
    avoidMs: config.failover_retry_ms,
    maxBodyBytes: config.max_sideband_response_bytes,
  };
  for (const provider of providers) runtime.retain(provider);
  let released = false;

  return {
    askAboutRequest: (payload, call) => ask('request', payload, call, readRequestAnswer, ({ kind }) => kind),
    askAboutResponse: (payload, call) => ask('response', payload, call, readResponseAnswer, () => 'answered'),
    release() {
      if (released) return;
      released = true;
      for (const provider of providers) runtime.release(provider);
    },
  };

  async function ask<A>(
    phase: SidebandPhase,
    payload: RequestPayload | ResponsePayload,
    context: CallContext,
    read: (body: Uint8Array) => A,
    outcomeOf: (answer: A) => CallFinished['outcome'],
  ): Promise<Asked<A>> {
    const start = runtime.clock.now();
    const patience = new Patience(timeoutMs, context.signal);
    let call: SidebandCall | undefined;
    try {
      if (patience.ended !== undefined) throw new PingAuthError('client_gone');
      const message = { headers: callHeaders(headers, context), body: Buffer.from(JSON.stringify(payload)) };
      call = new SidebandCall(settings, phase, message, patience);
      const answer = read(await call.answer());
      const durationMs = runtime.clock.now() - start;
      const { correlationId } = call;
      const provider = call.provider?.name ?? '';
      observer.callFinished?.({
        phase,
        provider,
        outcome: outcomeOf(answer),
        durationMs,
        correlationId,
        providerErrorId: undefined,
      });
      return { answer, provider, durationMs, ...(correlationId !== undefined && { correlationId }) };
    } catch (thrown) {
      const error = withCall(asPingAuthError(thrown), call, runtime.clock.now() - start);
      const { provider, correlationId, providerErrorId, durationMs = 0 } = error.call;
      observer.callFinished?.({
        phase,
        provider,
        outcome: error.code,
        durationMs,
        correlationId,
        providerErrorId,
      });
      throw error;
    } finally {
      patience.close();
    }
  }
}

/** The policy providers this process knows, each with circuit and connections: for /health/ready and the metrics. */
export function knownProviders(runtime: SidebandRuntime = PROCESS_RUNTIME): readonly ProviderStatus[] {
  return runtime.status;
}

/** The same error with the facts of the call. */
function withCall(error: PingAuthError, call: SidebandCall | undefined, durationMs: number): PingAuthError {
  const { detail, cause, retryAfterSeconds, clientJson } = error;
  const { provider, correlationId } = call ?? {};
  return new PingAuthError(error.code, {
    ...(detail !== undefined && { detail }),
    ...(cause !== undefined && { cause }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(clientJson !== undefined && { clientJson }),
    call: {
      ...error.call,
      durationMs,
      ...(provider !== undefined && { provider: provider.name }),
      ...(correlationId !== undefined && { correlationId }),
    },
  });
}
