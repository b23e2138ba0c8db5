import { performance } from 'node:perf_hooks';

/** Where time comes from. Tests put in their own, so that nothing has to sleep. */
export interface Clock {
  /** Milliseconds that only ever go forward; a jump of the wall clock must neither open nor close a circuit breaker. */
  now(): number;
  /** Milliseconds since 1970, to compare with dates that a provider sends. */
  wall(): number;
  /** By how many milliseconds the event loop has been late in all. What it grows during a call, the call has lost. */
  lag(now: number): number;
}

/** How often the event loop is measured while there are calls. */
const TICK_MS = 20;
/** A timer has a resolution of a millisecond, and a turn of the loop always takes a little. */
const TOLERATED_MS = 3;
/** Longer than any call takes: without calls nothing is measured. */
const WATCH_MS = 60_000;

/** Adds up by how much one timer is late: one for the process, so a call costs no more than reading the sum twice. */
class EventLoopLag {
  #total = 0;
  #dueAt = 0;
  #watchUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  total(now: number): number {
    this.#watchUntil = now + WATCH_MS;
    if (this.#timer === undefined) {
      this.#dueAt = now + TICK_MS;
      this.#timer = setTimeout(() => this.#tick(), TICK_MS).unref();
    }
    return this.#total + lateness(now - this.#dueAt);
  }

  #tick(): void {
    const now = performance.now();
    this.#total += lateness(now - this.#dueAt);
    this.#dueAt = now + TICK_MS;
    if (now < this.#watchUntil) this.#timer?.refresh();
    else this.#timer = undefined;
  }
}

function lateness(milliseconds: number): number {
  return milliseconds > TOLERATED_MS ? milliseconds : 0;
}

const eventLoop = new EventLoopLag();

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  lag: (now) => eventLoop.total(now),
};
