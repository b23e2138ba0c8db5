import { setTimeout } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

const REAL: Clock = { now: () => performance.now(), sleep: (ms) => setTimeout(ms) };

/** Lets so many through in a second, evenly: the policy provider may have others to answer. */
export class Pacer {
  readonly #gapMs: number;
  readonly #clock: Clock;
  #next = 0;

  constructor(perSecond: number, clock: Clock = REAL) {
    this.#gapMs = 1000 / perSecond;
    this.#clock = clock;
  }

  async turn(): Promise<void> {
    const now = this.#clock.now();
    const at = Math.max(now, this.#next);
    this.#next = at + this.#gapMs;
    if (at > now) await this.#clock.sleep(at - now);
  }
}
