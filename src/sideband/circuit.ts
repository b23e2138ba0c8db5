import { performance } from 'node:perf_hooks';

/** Where time comes from. Tests put in their own, so that nothing has to sleep. */
export interface Clock {
  /** Milliseconds that only ever go forward; a jump of the wall clock must neither open nor close a circuit. */
  now(): number;
  /** Milliseconds since 1970, to compare with dates that a provider sends. */
  wall(): number;
}

export const SYSTEM_CLOCK: Clock = { now: () => performance.now(), wall: () => Date.now() };

/** Of the instance that makes the call; the circuit itself is shared. */
export interface CircuitSettings {
  /** Consecutive failures that open the circuit; 0: this instance neither opens nor heeds it (429 always counts). */
  readonly failures: number;
  readonly openMs: number;
}

export type CircuitState = 'closed' | 'open' | 'half_open' | 'rate_limited';

/** Leave to make one call, or not. Whoever gets a ticket reports back exactly once. */
export type Admission =
  | { readonly admitted: true; readonly probe: boolean }
  | { readonly admitted: false; readonly because: 'open' | 'rate_limited'; readonly secondsLeft: number };

const ADMITTED: Admission = { admitted: true, probe: false };

/**
 * Keeps calls away from one policy provider: after a 429 for the time it asked for, and after too many consecutive
 * failures until a single probe succeeds. Results of calls that were under way when it opened change nothing.
 */
export class Circuit {
  readonly #clock: Clock;
  #failures = 0;
  #openUntil: number | undefined;
  #probing = false;
  #limitedUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  admit(settings: CircuitSettings): Admission {
    const now = this.#clock.now();
    if (now < this.#limitedUntil) return rejected('rate_limited', this.#limitedUntil - now);
    if (this.#openUntil === undefined || settings.failures === 0) return ADMITTED;
    if (now < this.#openUntil || this.#probing) return rejected('open', this.#openUntil - now);
    this.#probing = true;
    return { admitted: true, probe: true };
  }

  /** An answer came, of whatever kind but 5xx. */
  succeeded(probe: boolean): void {
    if (probe) {
      this.#probing = false;
      this.#openUntil = undefined;
    }
    if (this.#openUntil === undefined) this.#failures = 0;
  }

  /** No answer came, or a 5xx. */
  failed(probe: boolean, settings: CircuitSettings): void {
    if (settings.failures === 0) return;
    if (!probe) {
      if (this.#openUntil !== undefined) return;
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

  /** A 429: nobody is let through for that long. A shorter time does not shorten an earlier one. */
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
}

/** Remembers that a provider could not be reached, so that others are asked first; after a while one request probes it. */
export class Avoidance {
  readonly #clock: Clock;
  #until: number | undefined;
  #probing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get active(): boolean {
    return this.#until !== undefined;
  }

  /** Whether to ask others first. When the time is up, exactly one caller is told `false` and probes. */
  claim(): boolean {
    if (this.#until === undefined) return false;
    if (this.#probing || this.#clock.now() < this.#until) return true;
    this.#probing = true;
    return false;
  }

  reached(): void {
    this.#until = undefined;
    this.#probing = false;
  }

  failed(avoidMs: number): void {
    this.#until = this.#clock.now() + avoidMs;
    this.#probing = false;
  }

  /** The probe ended without a result; the next request may probe. */
  abandoned(): void {
    this.#probing = false;
  }
}

function rejected(because: 'open' | 'rate_limited', leftMs: number): Admission {
  // While the probe is under way no time is left, but "at once" would be the wrong advice.
  return { admitted: false, because, secondsLeft: Math.max(1, Math.ceil(leftMs / 1000)) };
}
