import type { FailOpenScope } from '../errors/catalogue.js';
import type { Clock } from './call-deadline.js';

/** Of the instance that makes the call; the circuit breaker itself is shared. */
export interface CircuitSettings {
  /** Consecutive failures that open it; 0: this instance neither opens nor heeds it (429 always counts). */
  readonly failures: number;
  readonly openMs: number;
}

export type CircuitState = 'closed' | 'open' | 'half_open' | 'rate_limited';

/** Leave to make one call, or not. The result of an admitted call is reported exactly once. */
export type Admission =
  | { readonly admitted: true; readonly probe: boolean }
  | {
      readonly admitted: false;
      readonly because: 'open' | 'rate_limited';
      readonly secondsLeft: number;
      /** What it was opened by. */
      readonly scope: FailOpenScope;
    };

const ADMITTED: Admission = { admitted: true, probe: false };

/**
 * Keeps calls away from one policy provider: after a 429 until its Retry-After has passed, and after too many consecutive
 * failures until a single probe succeeds. Results of calls that were under way when it opened change nothing.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  #failures = 0;
  /** Of the failures since the last success: whether one of them was a provider that was reached. */
  #scope: FailOpenScope = 'unreachable';
  #lastSuccess = Number.NEGATIVE_INFINITY;
  #openUntil: number | undefined;
  #probing = false;
  #limitedUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  admit(settings: CircuitSettings): Admission {
    if (this.isQuiet) return ADMITTED;
    const now = this.#clock.now();
    if (now < this.#limitedUntil) return this.#rejected('rate_limited', this.#limitedUntil - now);
    if (this.#openUntil === undefined || settings.failures === 0) return ADMITTED;
    if (now < this.#openUntil || this.#probing) return this.#rejected('open', this.#openUntil - now);
    this.#probing = true;
    return { admitted: true, probe: true };
  }

  /** An answer came, of whatever kind but 5xx. */
  succeeded(probe: boolean, now = this.#clock.now()): void {
    this.#lastSuccess = now;
    if (probe) {
      this.#probing = false;
      this.#openUntil = undefined;
    }
    if (this.#openUntil === undefined) {
      this.#failures = 0;
      this.#scope = 'unreachable';
    }
  }

  /**
   * No answer came, or a 5xx. It does not count if another call succeeded in the meantime: then it is this request that
   * the provider has trouble with, and one client must not close the provider to all others.
   *
   * @param scope `unreachable`: no byte of the call was written
   * @param startedAt of the call
   */
  failed(probe: boolean, settings: CircuitSettings, scope: FailOpenScope, startedAt: number): void {
    if (settings.failures === 0) return;
    if (probe) {
      this.#scope = scope;
    } else {
      if (this.#openUntil !== undefined || this.#lastSuccess > startedAt) return;
      if (scope === 'unavailable') this.#scope = scope;
      this.#failures++;
      if (this.#failures < settings.failures) return;
    }
    this.#probing = false;
    this.#openUntil = this.#clock.now() + settings.openMs;
  }

  /** The call ended without saying anything about the provider: the client went away, the queue was full. */
  abandoned(probe: boolean): void {
    if (probe) this.#probing = false;
  }

  /** A 429: no call is admitted for that long. A shorter time does not shorten an earlier one. */
  rateLimited(probe: boolean, seconds: number): void {
    this.succeeded(probe);
    this.#limitedUntil = Math.max(this.#limitedUntil, this.#clock.now() + seconds * 1000);
  }

  /** No failure is counted and nothing is closed to anybody: another success would change nothing. */
  get isQuiet(): boolean {
    return this.#failures === 0 && this.#openUntil === undefined && this.#limitedUntil === 0;
  }

  get state(): CircuitState {
    const now = this.#clock.now();
    if (now < this.#limitedUntil) return 'rate_limited';
    if (this.#openUntil === undefined) return 'closed';
    return now < this.#openUntil ? 'open' : 'half_open';
  }

  /** Seconds until calls are made again; 0 when they are. */
  get secondsLeft(): number {
    const until = Math.max(this.#limitedUntil, this.#openUntil ?? 0);
    return Math.max(0, Math.ceil((until - this.#clock.now()) / 1000));
  }

  #rejected(because: 'open' | 'rate_limited', leftMs: number): Admission {
    // While the probe is under way no time is left, but "at once" would be the wrong advice.
    const secondsLeft = Math.max(1, Math.ceil(leftMs / 1000));
    return { admitted: false, because, secondsLeft, scope: this.#scope };
  }
}
