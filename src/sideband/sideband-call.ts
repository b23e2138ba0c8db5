import { PingAuthError } from '../errors/ping-auth-error.js';
import type { CircuitSettings } from './circuit.js';
import type { CallDeadline } from './concurrency-limiter.js';
import type { SidebandObserver, SidebandPhase } from './observer.js';
import { type AttemptResult, attempt, type ProviderRequest } from './provider-attempt.js';
import type { LinkedProvider } from './sideband-runtime.js';
import { printable, statusError } from './status-errors.js';

/** What all calls of one instance have in common. */
export interface CallSettings {
  /** In the order in which they are asked. */
  readonly providers: readonly LinkedProvider[];
  readonly observer: SidebandObserver;
  readonly circuit: CircuitSettings;
  readonly avoidMs: number;
  /** The largest answer that is taken, bytes. */
  readonly maxAnswerBytes: number;
  /** Milliseconds since 1970, for Retry-After. */
  readonly wall: () => number;
}

/** Who asks, as far as memory goes: see `CallContext`. */
interface AnswerHolder {
  holdAnswer?(bytes: number): void;
}

/** The way of one call through the providers: which are asked, in which order, and what their circuits learn from it. */
export class SidebandCall implements ProviderRequest {
  readonly #settings: CallSettings;
  readonly #phase: SidebandPhase;
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly callDeadline: CallDeadline;
  readonly #asker: AnswerHolder;
  /** Not reached lately, and asked by this call to see whether that is over. */
  #probed: LinkedProvider | undefined;
  /** Who answered, or whose failure is the call's; for the log. */
  provider: LinkedProvider | undefined;
  correlationId: string | undefined;

  constructor(
    settings: CallSettings,
    phase: SidebandPhase,
    headers: readonly string[],
    body: Buffer,
    callDeadline: CallDeadline,
    asker: AnswerHolder,
  ) {
    this.#settings = settings;
    this.#phase = phase;
    this.headers = headers;
    this.body = body;
    this.callDeadline = callDeadline;
    this.#asker = asker;
  }

  holdAnswer(bytes: number): void {
    this.#asker.holdAnswer?.(bytes);
  }

  get maxAnswerBytes(): number {
    return this.#settings.maxAnswerBytes;
  }

  /** @returns body of a 200. @throws PingAuthError */
  async answer(): Promise<Buffer> {
    try {
      let failure: PingAuthError | undefined;
      const order = this.#order();
      for (const [index, provider] of order.entries()) {
        const outcome = await this.#ask(provider);
        if (Buffer.isBuffer(outcome)) {
          this.provider = provider;
          return outcome;
        }
        if (failure === undefined || isGraver(outcome.error, failure)) {
          failure = outcome.error;
          this.provider = provider;
        }
        const next =
          outcome.elsewhere && this.callDeadline.ended === undefined ? order[index + 1] : undefined;
        this.#reportFailure(provider, outcome.error, next);
        if (next === undefined) break;
      }
      throw failure ?? new PingAuthError('internal_error', { detail: 'no provider to ask' });
    } finally {
      // A probe that brought no result, or was not needed: another request may make it.
      if (this.#probed) this.#probed.connections.avoidance.abandoned();
    }
  }

  /** As configured, but those that could not be reached lately come last. The first of them may be due for a probe. */
  #order(): readonly LinkedProvider[] {
    const { providers } = this.#settings;
    if (providers.length === 1) return providers;
    const isAvoided = (provider: LinkedProvider) => provider.connections.avoidance.active;
    if (!providers.some(isAvoided)) return providers;
    const first = providers.find((provider) => {
      if (!isAvoided(provider)) return true;
      if (provider.connections.avoidance.claim()) return false;
      this.#probed = provider;
      return true;
    });
    const others = providers.filter((provider) => provider !== first);
    return [
      ...(first === undefined ? [] : [first]),
      ...others.filter((provider) => !isAvoided(provider)),
      ...others.filter(isAvoided),
    ];
  }

  async #ask(provider: LinkedProvider): Promise<Buffer | NoAnswer> {
    const { observer, circuit: circuitSettings } = this.#settings;
    const { circuit, connections } = provider;
    const admission = circuit.admit(circuitSettings);
    if (!admission.admitted) return notAdmitted(admission.because, admission.secondsLeft);
    let learned = false;
    try {
      const path = this.#phase === 'request' ? provider.requestPath : provider.responsePath;
      const result = await attempt(connections, path, this, () =>
        observer.staleConnection?.({ phase: this.#phase, provider: provider.name }),
      );
      const wasQuiet = circuit.isQuiet;
      const from = wasQuiet ? 'closed' : circuit.state;
      const outcome = this.#learn(provider, result, admission.probe);
      learned = true;
      if (wasQuiet && circuit.isQuiet) return outcome;
      const to = circuit.state;
      if (to !== from) {
        observer.circuitChanged?.({ provider: provider.name, from, to, secondsLeft: circuit.secondsLeft });
      }
      return outcome;
    } finally {
      if (!learned) circuit.abandoned(admission.probe);
    }
  }

  /** Tells circuit and avoidance, and turns the result into a body or an error. */
  #learn(provider: LinkedProvider, result: AttemptResult, probe: boolean): Buffer | NoAnswer {
    const { circuit: circuitSettings, avoidMs, wall } = this.#settings;
    const { circuit } = provider;
    const { avoidance } = provider.connections;
    if (result.kind === 'failed') {
      if (result.providerFailed) circuit.failed(probe, circuitSettings);
      else circuit.abandoned(probe);
      if (result.avoid) {
        avoidance.failed(avoidMs);
        this.#probeEnded(provider);
      }
      return { error: result.error, elsewhere: result.elsewhere };
    }
    avoidance.reached();
    this.#probeEnded(provider);
    const { status, headers, body } = result;
    this.correlationId = printable(headers['correlation-id']);
    if (status === 200 && body !== undefined) {
      circuit.succeeded(probe);
      return body;
    }
    const error = statusError(status, headers, body, wall());
    if (error.code === 'provider_failing') circuit.failed(probe, circuitSettings);
    else if (error.code === 'provider_rate_limited') circuit.rateLimited(probe, error.retryAfterSeconds ?? 1);
    else circuit.succeeded(probe);
    return { error, elsewhere: false };
  }

  #probeEnded(provider: LinkedProvider): void {
    if (this.#probed === provider) this.#probed = undefined;
  }

  #reportFailure(provider: LinkedProvider, error: PingAuthError, next: LinkedProvider | undefined): void {
    this.#settings.observer.providerFailed?.({
      phase: this.#phase,
      provider: provider.name,
      code: error.code,
      detail: error.detail ?? error.entry.meaning,
      next: next?.name,
    });
  }
}

interface NoAnswer {
  readonly error: PingAuthError;
  /** Whether another provider may be asked. */
  readonly elsewhere: boolean;
}

function notAdmitted(because: 'open' | 'rate_limited', secondsLeft: number): NoAnswer {
  const limited = because === 'rate_limited';
  const error = new PingAuthError(limited ? 'provider_rate_limited' : 'provider_circuit_open', {
    detail: `no call was made; ${secondsLeft} s left`,
    retryAfterSeconds: secondsLeft,
  });
  // Asking another one would get around the limit that the provider has set.
  return { error, elsewhere: !limited };
}

/** Of several failures the first that forbids a fail-open, else the last: when in doubt, refuse. */
function isGraver(later: PingAuthError, earlier: PingAuthError): boolean {
  return earlier.entry.failOpen || !later.entry.failOpen;
}
