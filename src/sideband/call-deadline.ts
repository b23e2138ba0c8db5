import { randomFill } from 'node:crypto';
import { performance } from 'node:perf_hooks';

export type Interruption = 'deadline' | 'client_gone';

/** The event for which a call is made, as far as the call has to know it. */
export interface Caller {
  /** The decision is no longer needed: the client went away, or the event was given up. */
  readonly over?: boolean;
  /** One listener at a time; called once when the event is over, at once if it already is. undefined takes it away. */
  onOver?(listener: (() => void) | undefined): void;
}

/**
 * If this share of the time that a call has taken was lost in ping-auth, its end says nothing about the policy provider.
 * Clients can bring such a loss about, and must not be able to make the plugin fail open with it.
 */
const MAX_LOST_SHARE = 0.1;

/**
 * How long one sideband call may take, with everything in it: queue, connection, failover, answer. Ends early when the
 * client goes away. The steps of a call follow each other, so one listener at a time is enough.
 */
export class CallDeadline {
  readonly startedAt: number;
  readonly #clock: Clock;
  readonly #lagBefore: number;
  readonly #caller: Caller | undefined;
  #timer: NodeJS.Timeout | undefined;
  #listener: ((reason: Interruption) => void) | undefined;
  #reason: Interruption | undefined;
  #queuedMs = 0;

  constructor(milliseconds: number, clock: Clock, caller: Caller | undefined) {
    this.#clock = clock;
    this.startedAt = clock.now();
    this.#lagBefore = clock.lag(this.startedAt);
    this.#caller = caller;
    if (caller?.over === true) this.#reason = 'client_gone';
    else {
      // Not an AbortSignal: it costs thirty times as much. Keeps no process alive: the socket that is waited for does.
      this.#timer = setTimeout(expireAfterPoll, milliseconds, this).unref();
      caller?.onOver?.(() => this.interrupt('client_gone'));
    }
  }

  /** Set when the call has to end. */
  get ended(): Interruption | undefined {
    return this.#reason;
  }

  /** Called once when the call has to end, unless it already has; undefined takes the listener away. */
  listen(listener: ((reason: Interruption) => void) | undefined): void {
    this.#listener = listener;
  }

  /** The call waited for a connection, since this time. */
  queuedSince(time: number): void {
    this.#queuedMs += this.#clock.now() - time;
  }

  /** What took so much of the call's time that the provider is not to blame for its end; undefined: nothing. */
  get lostTo(): { readonly reason: 'queue' | 'event loop'; readonly milliseconds: number } | undefined {
    const now = this.#clock.now();
    const tolerated = MAX_LOST_SHARE * (now - this.startedAt);
    if (this.#queuedMs > tolerated) return { reason: 'queue', milliseconds: this.#queuedMs };
    const milliseconds = this.#clock.lag(now) - this.#lagBefore;
    return milliseconds > tolerated ? { reason: 'event loop', milliseconds } : undefined;
  }

  /** To be called when the call is over; nothing is left behind. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#caller?.onOver?.(undefined);
    this.#listener = undefined;
  }

  /** Does nothing after `close`. */
  interrupt(reason: Interruption): void {
    if (this.#reason !== undefined || this.#timer === undefined) return;
    this.#reason = reason;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.(reason);
  }
}

/**
 * If the event loop was blocked, the timer comes first, although the answer may have arrived long ago. `setImmediate` runs
 * after the sockets have been read.
 */
function expireAfterPoll(deadline: CallDeadline): void {
  setImmediate(() => deadline.interrupt('deadline'));
}

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
