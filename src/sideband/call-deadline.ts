import type { Clock } from './clock.js';

export type Interruption = 'deadline' | 'client_gone';

/** The event for which a call is made, as far as the call has to know it. */
export interface Caller {
  /** Nobody waits for the decision any more: the client went away, or the event was given up. */
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
