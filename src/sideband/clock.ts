import { randomFill } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** Where time comes from. Tests put in their own, so that nothing has to sleep. */
export interface Clock {
  /** Milliseconds that only ever go forward; a jump of the wall clock must neither open nor close a circuit breaker. */
  now(): number;
  /** Milliseconds since 1970, to compare with dates that a provider sends. */
  wall(): number;
  /** How many milliseconds the event loop or the thread pool was late in all. What it grows during a call, the call lost. */
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

/**
 * Adds up how long small jobs wait for libuv's thread pool, which looks up host names, too: clients can keep it busy with
 * compressed bodies until a connection is not established in time.
 */
class ThreadPoolLag {
  #total = 0;
  #waitingSince: number | undefined;

  total(now: number): number {
    return this.#total + (this.#waitingSince === undefined ? 0 : lateness(now - this.#waitingSince));
  }

  measure(): void {
    if (this.#waitingSince !== undefined) return;
    const startedAt = performance.now();
    this.#waitingSince = startedAt;
    randomFill(Buffer.alloc(1), () => {
      this.#total += lateness(performance.now() - startedAt);
      this.#waitingSince = undefined;
    });
  }
}

const eventLoop = new EventLoopLag();
const threadPool = new ThreadPoolLag();

/** To be called when a host name is about to be looked up. */
export function measureThreadPool(): void {
  threadPool.measure();
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  lag: (now) => eventLoop.total(now) + threadPool.total(now),
};
