import type { Clock } from './clock.js';

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
