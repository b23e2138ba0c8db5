import type { PluginConfig } from '../config/schema.js';
import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';
import { VERSION } from '../version.js';
import { CallDeadline, type Caller } from './concurrency-limiter.js';
import { Deadlines } from './deadlines.js';
import type { RequestAnswer, ResponseAnswer } from './messages.js';
import type { CallFinished, SidebandObserver, SidebandPhase } from './observer.js';
import { callTimeoutMs, providersOf } from './provider.js';
import { type CallSettings, SidebandCall } from './sideband-call.js';
import { PROCESS_RUNTIME, type ProviderStatus, type SidebandRuntime } from './sideband-runtime.js';
import { readRequestAnswer, readResponseAnswer } from './wire-answers.js';

export type { Caller } from './concurrency-limiter.js';
export type { SidebandObserver } from './observer.js';

/** What belongs to one call. */
export interface CallContext {
  /** Kong's request id; goes along as X-Request-Id. */
  readonly requestId?: string | undefined;
  /** W3C Trace Context of the client. What is malformed is not passed on. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /**
   * Told, again and again, how large an answer has become that is no small one. @throws PingAuthError when that is too much
   * memory; the call ends with that
   */
  holdAnswer?(bytes: number): void;
  /** When it is over, the call ends with `client_gone`. */
  readonly caller?: Caller | undefined;
}

export interface Asked<A> {
  readonly answer: A;
  /** The answer as it came: JSON in UTF-8. */
  readonly body: Buffer;
  /** The provider that answered: scheme, host, port and path. */
  readonly provider: string;
  /** Of the whole call: queue, retries and failover included. */
  readonly durationMs: number;
  /** The provider's `Correlation-Id`. */
  readonly correlationId: string | undefined;
}

/**
 * The policy provider as one instance of the plugin sees it. Payloads are JSON text (sideband/payloads.ts). Only a 200
 * with an object of the right shape is an answer; everything else is thrown as PingAuthError with a code of the catalogue
 * and `call` filled in.
 */
export interface SidebandClient {
  askAboutRequest(payload: string, call: CallContext): Promise<Asked<RequestAnswer>>;
  askAboutResponse(payload: string, call: CallContext): Promise<Asked<ResponseAnswer>>;
  /** The instance is closed. Connections stay for others, and calls under way end normally. */
  release(): void;
}

export function createSidebandClient(
  config: PluginConfig,
  observer: SidebandObserver = {},
  runtime: SidebandRuntime = PROCESS_RUNTIME,
): SidebandClient {
  const providers = providersOf(config);
  const deadlines = new Deadlines(callTimeoutMs(config));
  const headers = fixedHeaders(config);
  for (const provider of providers) runtime.retain(provider);
  const settings: CallSettings = {
    providers: providers.map((provider) => runtime.link(provider)),
    observer,
    circuit: { failures: config.circuit_failures, openMs: config.circuit_open_ms },
    avoidMs: config.failover_retry_ms,
    maxAnswerBytes: config.max_sideband_response_bytes,
    wall: () => runtime.clock.wall(),
  };
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
    payload: string,
    context: CallContext,
    read: (body: Uint8Array) => A,
    outcomeOf: (answer: A) => CallFinished['outcome'],
  ): Promise<Asked<A>> {
    const start = runtime.clock.now();
    const callDeadline = new CallDeadline(deadlines, context.caller);
    let call: SidebandCall | undefined;
    try {
      if (callDeadline.ended !== undefined) throw new PingAuthError('client_gone');
      call = new SidebandCall(
        settings,
        phase,
        callHeaders(headers, context),
        Buffer.from(payload),
        callDeadline,
        context,
      );
      const body = await call.answer();
      const answer = read(body);
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
      return { answer, body, provider, durationMs, correlationId };
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
      callDeadline.close();
    }
  }
}

/** The policy providers this process knows, each with circuit and connections: for /health/ready and the metrics. */
export function knownProviders(runtime: SidebandRuntime = PROCESS_RUNTIME): readonly ProviderStatus[] {
  return runtime.status;
}

/** W3C Trace Context, version 00 and its successors. */
const TRACEPARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]{0,200})?$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

export function isTracestate(text: string): boolean {
  return TRACESTATE.test(text);
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The headers that are the same for every call, names and values by turns. undici adds Host and Content-Length. */
function fixedHeaders(config: PluginConfig): readonly string[] {
  return [
    ...['Content-Type', 'application/json', 'Accept', 'application/json', 'User-Agent', `Kong/${VERSION}`],
    ...[config.secret_header_name, config.shared_secret],
  ];
}

/** Adds what belongs to one call. A value that could not travel is left out: a client must not be able to end the call. */
function callHeaders(fixed: readonly string[], call: CallContext): readonly string[] {
  const { requestId, traceparent, tracestate } = call;
  const headers = fixed.slice();
  if (requestId !== undefined && REQUEST_ID.test(requestId)) headers.push('X-Request-Id', requestId);
  if (traceparent !== undefined && isTraceparent(traceparent)) {
    headers.push('traceparent', traceparent);
    if (tracestate !== undefined && isTracestate(tracestate)) headers.push('tracestate', tracestate);
  }
  return headers;
}

/** Completes the error with the facts of the call. */
function withCall(error: PingAuthError, call: SidebandCall | undefined, durationMs: number): PingAuthError {
  const { provider, correlationId } = call ?? {};
  error.call = {
    ...error.call,
    durationMs,
    ...(provider !== undefined && { provider: provider.name }),
    ...(correlationId !== undefined && { correlationId }),
  };
  return error;
}
