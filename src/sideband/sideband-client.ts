import { isAscii } from 'node:buffer';
import type { PluginConfig } from '../config/schema.js';
import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import { LARGE_BYTES } from '../http/text.js';
import { CallDeadline, type Caller, type Clock } from './call-deadline.js';
import { type CorrelationIds, callHeaders, fixedHeaders } from './call-headers.js';
import type { Admission, CircuitBreaker, CircuitSettings } from './circuit-breaker.js';
import { parseLargeAnswer } from './large-answer.js';
import type { RequestAnswer, ResponseAnswer } from './messages.js';
import type { SidebandObserver, SidebandPhase } from './observer.js';
import type { Payload } from './payloads.js';
import { callTimeoutMs, providersOf } from './provider.js';
import { callProvider, type ProviderAnswer, type ProviderRequest } from './provider-exchange.js';
import type { ProviderFailure } from './provider-failure.js';
import {
  type LinkedProvider,
  PROCESS_RUNTIME,
  type ProviderStatus,
  type SidebandRuntime,
} from './sideband-runtime.js';
import { statusError } from './status-errors.js';
import { type LargeAnswer, logText, readRequestAnswer, readResponseAnswer } from './wire-answers.js';

export type { Caller } from './call-deadline.js';
export type { SidebandObserver } from './observer.js';

/** What belongs to one call. */
export interface CallContext extends CorrelationIds {
  /** The answer is reserved here: its bytes as they arrive, then its text and what is parsed from it. */
  readonly memory?: MemoryReservation | undefined;
  /** When it is over, the call ends with `client_gone`. */
  readonly caller?: Caller | undefined;
}

/** What came of one call. */
export interface Evaluation<A> {
  readonly answer: A;
  /** The answer as it arrived: JSON in UTF-8. */
  readonly body: Buffer;
  /** The provider that answered: scheme, host, port and path. */
  readonly provider: string;
  /** Of the whole call: queue, retries and failover included. */
  readonly durationMs: number;
  /** The provider's `Correlation-Id`. */
  readonly correlationId: string | undefined;
}

/**
 * The policy provider as one instance of the plugin sees it. Payloads are of sideband/payloads.ts. Only a 200
 * with an object of the right shape is an answer; everything else is thrown as PingAuthError with a code of the catalogue
 * and `call` filled in.
 */
export interface SidebandClient {
  evaluateRequest(payload: Payload, call: CallContext): Promise<Evaluation<RequestAnswer>>;
  evaluateResponse(payload: Payload, call: CallContext): Promise<Evaluation<ResponseAnswer>>;
  /** The instance is closed. Connections stay for others, and calls under way end normally. */
  release(): void;
}

export function createSidebandClient(
  config: PluginConfig,
  observer: SidebandObserver = {},
  runtime: SidebandRuntime = PROCESS_RUNTIME,
): SidebandClient {
  const named = providersOf(config);
  const calls = new ProviderCalls(
    config,
    named.map((one) => runtime.retain(one)),
    observer,
    runtime.clock,
  );
  let released = false;
  return {
    evaluateRequest: (payload, context) => calls.evaluate('request', payload, context, readRequestAnswer),
    evaluateResponse: (payload, context) => calls.evaluate('response', payload, context, readResponseAnswer),
    release() {
      if (released) return;
      released = true;
      for (const provider of named) runtime.release(provider);
    },
  };
}

/** What one provider made of one call. */
type Attempt =
  | { readonly body: Buffer; readonly correlationId: string | undefined }
  | Pick<ProviderFailure, 'error' | 'failover'>;

/** The calls of one instance: which providers are called, in which order, and what their circuit breakers learn from it. */
class ProviderCalls {
  /** In the order in which they are called. */
  readonly #providers: readonly LinkedProvider[];
  readonly #observer: SidebandObserver;
  readonly #clock: Clock;
  readonly #headers: readonly string[];
  readonly #timeoutMs: number;
  readonly #maxAnswerBytes: number;
  readonly #circuit: CircuitSettings;
  readonly #ejection: CircuitSettings;

  constructor(
    config: PluginConfig,
    providers: readonly LinkedProvider[],
    observer: SidebandObserver,
    clock: Clock,
  ) {
    this.#providers = providers;
    this.#observer = observer;
    this.#clock = clock;
    this.#headers = fixedHeaders(config);
    this.#timeoutMs = callTimeoutMs(config);
    this.#maxAnswerBytes = config.max_sideband_response_bytes;
    this.#circuit = { failures: config.circuit_failures, openMs: config.circuit_open_ms };
    this.#ejection = { failures: 1, openMs: config.failover_retry_ms };
  }

  async evaluate<A>(
    phase: SidebandPhase,
    payload: Payload,
    context: CallContext,
    read: (body: Buffer, large?: LargeAnswer) => A,
  ): Promise<Evaluation<A>> {
    const deadline = new CallDeadline(this.#timeoutMs, this.#clock, context.caller);
    let provider: string | undefined;
    let correlationId: string | undefined;
    try {
      if (deadline.ended !== undefined) throw new PingAuthError('client_gone');
      const request: ProviderRequest = {
        headers: callHeaders(this.#headers, context),
        body: payload,
        maxAnswerBytes: this.#maxAnswerBytes,
        deadline,
        memory: context.memory,
      };
      const order = this.#providers.length === 1 ? this.#providers : this.#inOrder();
      let failure: PingAuthError | undefined;
      for (let index = 0; index < order.length; index++) {
        // The index is below the length.
        const one = order[index] as LinkedProvider;
        const admission = one.breaker.admit(this.#circuit);
        const attempt = admission.admitted
          ? this.#learn(one, await this.#call(one, phase, request), admission.probe, deadline)
          : notAdmitted(one, admission);
        if ('body' in attempt) {
          const { body } = attempt;
          provider = one.name;
          correlationId = attempt.correlationId;
          if (body.length > SMALL_ANSWER_BYTES) context.memory?.grow(parsedBytes(body));
          const large = body.length > LARGE_BYTES ? await parseLargeAnswer(body) : undefined;
          const answer = read(body, large);
          const durationMs = this.#clock.now() - deadline.startedAt;
          return { answer, body, provider, durationMs, correlationId };
        }
        const { error } = attempt;
        if (failure === undefined || isGraver(error, failure)) {
          failure = error;
          provider = one.name;
        }
        const next = attempt.failover && deadline.ended === undefined ? order[index + 1] : undefined;
        const detail = error.detail ?? error.entry.meaning;
        this.#observer.providerFailed?.({
          phase,
          provider: one.name,
          code: error.code,
          detail,
          next: next?.name,
        });
        if (next === undefined) break;
      }
      throw failure ?? new PingAuthError('internal_error', { detail: 'no provider to call' });
    } catch (thrown) {
      const error = asPingAuthError(thrown);
      const durationMs = this.#clock.now() - deadline.startedAt;
      error.call = {
        ...(correlationId !== undefined && { correlationId }),
        ...error.call,
        durationMs,
        ...(provider !== undefined && { provider }),
      };
      throw error;
    } finally {
      deadline.close();
    }
  }

  /** As configured, but those that are ejected come last. The first of them may be due for a probe. */
  #inOrder(): readonly LinkedProvider[] {
    const providers = this.#providers;
    const isHealthy = ({ pool }: LinkedProvider) => pool.ejection.isQuiet;
    if (providers.every(isHealthy)) return providers;
    const first = providers.find(({ pool }) => pool.ejection.admit(this.#ejection).admitted);
    const others = providers.filter((provider) => provider !== first);
    return [
      ...(first === undefined ? [] : [first]),
      ...others.filter(isHealthy),
      ...others.filter((provider) => !isHealthy(provider)),
    ];
  }

  #call(
    { name, pool, requestPath, responsePath }: LinkedProvider,
    phase: SidebandPhase,
    request: ProviderRequest,
  ): Promise<ProviderAnswer | ProviderFailure> {
    const path = phase === 'request' ? requestPath : responsePath;
    return callProvider(pool, path, request, () =>
      this.#observer.staleConnection?.({ phase, provider: name }),
    );
  }

  /** Tells the circuit breaker and the outlier ejection, and turns the result into a body or an error. */
  #learn(
    { name, breaker, pool: { ejection } }: LinkedProvider,
    result: ProviderAnswer | ProviderFailure,
    probe: boolean,
    { startedAt }: CallDeadline,
  ): Attempt {
    const now = this.#clock.now();
    if (result.kind === 'answered') ejection.succeeded(true, now);
    else if (!result.ejects) ejection.abandoned(true);
    else ejection.failed(!ejection.isQuiet, this.#ejection, 'unreachable', startedAt);
    const from = breaker.isQuiet ? 'closed' : breaker.state;
    const attempt = this.#attemptOf(breaker, result, probe, startedAt, now);
    const to = breaker.isQuiet ? 'closed' : breaker.state;
    if (to !== from) {
      const { secondsLeft } = breaker;
      this.#observer.circuitChanged?.({ provider: name, from, to, secondsLeft });
    }
    return attempt;
  }

  #attemptOf(
    breaker: CircuitBreaker,
    result: ProviderAnswer | ProviderFailure,
    probe: boolean,
    startedAt: number,
    now: number,
  ): Attempt {
    if (result.kind === 'failed') {
      const scope = result.error.failOpenScope;
      if (scope === undefined) breaker.abandoned(probe);
      else breaker.failed(probe, this.#circuit, scope, startedAt);
      return result;
    }
    const { status, headers, body } = result;
    const correlationId = logText(headers['correlation-id']);
    if (status === 200 && body !== undefined) {
      breaker.succeeded(probe, now);
      return { body, correlationId };
    }
    const error = statusError(status, headers, body, this.#clock.wall());
    if (correlationId !== undefined) error.call = { ...error.call, correlationId };
    const scope = error.failOpenScope;
    if (scope !== undefined) breaker.failed(probe, this.#circuit, scope, startedAt);
    else if (error.code === 'provider_rate_limited') breaker.rateLimited(probe, error.retryAfterSeconds ?? 1);
    else breaker.succeeded(probe);
    return { error, failover: false };
  }
}

/** Of smaller answers the received bytes are reserved, and there is memory for what is made of them. */
const SMALL_ANSWER_BYTES = 65_536;

/** Of the text of an answer and of what is parsed from it. A single character beyond ASCII can double a text. */
function parsedBytes(body: Buffer): number {
  return body.length * (isAscii(body) ? 2 : 4);
}

function notAdmitted(
  { pool }: LinkedProvider,
  { because, secondsLeft, scope }: Admission & { readonly admitted: false },
): Attempt {
  pool.ejection.abandoned(true);
  const limited = because === 'rate_limited';
  const error = new PingAuthError(limited ? 'provider_rate_limited' : 'provider_circuit_open', {
    detail: `no call was made; ${secondsLeft} s left`,
    retryAfterSeconds: secondsLeft,
    ...(!limited && { failOpenScope: scope }),
  });
  // Calling another one would get around the limit that the provider has set.
  return { error, failover: !limited };
}

/** Of several failures the first that can never fail open, else the last of the widest scope: when in doubt, refuse. */
function isGraver(later: PingAuthError, earlier: PingAuthError): boolean {
  const [now, before] = [gravity(later), gravity(earlier)];
  return now > before || (now === before && now < 2);
}

function gravity({ failOpenScope }: PingAuthError): number {
  return failOpenScope === undefined ? 2 : failOpenScope === 'unavailable' ? 1 : 0;
}

/** The policy providers this process knows, each with circuit breaker and connections: for /health/ready and the metrics. */
export function knownProviders(runtime: SidebandRuntime = PROCESS_RUNTIME): readonly ProviderStatus[] {
  return runtime.status;
}
