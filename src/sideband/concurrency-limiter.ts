import type { Deadlined, Deadlines } from './deadlines.js';

export type Interruption = 'deadline' | 'client_gone';

/** The event for which a call is made, as far as the call has to know it. */
export interface Caller {
  /** Nobody waits for the decision any more: the client went away, or the event was given up. */
  readonly over?: boolean;
  /** One listener at a time; called once when the event is over, at once if it already is. undefined takes it away. */
  onOver?(listener: (() => void) | undefined): void;
}

/**
 * How long one sideband call may take, whatever happens in it: queue, connection, failover, answer. Ends early when the
 * client goes away. The steps of a call follow each other, so one listener at a time is enough.
 */
export class CallDeadline implements Deadlined {
  readonly #deadlines: Deadlines;
  readonly #caller: Caller | undefined;
  #listener: ((reason: Interruption) => void) | undefined;
  #reason: Interruption | undefined;
  dueAt = 0;
  before: Deadlined | undefined = undefined;
  after: Deadlined | undefined = undefined;

  constructor(deadlines: Deadlines, caller: Caller | undefined) {
    this.#deadlines = deadlines;
    this.#caller = caller;
    if (caller?.over === true) this.#reason = 'client_gone';
    else {
      deadlines.add(this);
      caller?.onOver?.(() => this.#interrupt('client_gone'));
    }
  }

  /** Set once patience has ended. */
  get ended(): Interruption | undefined {
    return this.#reason;
  }

  /** Called once when patience ends, unless it already has; undefined takes the listener away. */
  listen(listener: ((reason: Interruption) => void) | undefined): void {
    this.#listener = listener;
  }

  expired(): void {
    this.#interrupt('deadline');
  }

  /** To be called when the call is over; nothing is left behind. */
  close(): void {
    this.#deadlines.remove(this);
    this.#caller?.onOver?.(undefined);
    this.#listener = undefined;
  }

  #interrupt(reason: Interruption): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.(reason);
  }
}

/**
 * Bounds the calls under way to one provider and the queue before them. undici's own queue knows neither a limit nor a
 * way out of it, so a call gets to undici only when there is a connection for it.
 */
export class ConcurrencyLimiter {
  readonly #limit: number;
  readonly #maxQueued: number;
  /** In order of arrival. */
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(limit: number, maxQueued: number) {
    this.#limit = limit;
    this.#maxQueued = maxQueued;
  }

  get taken(): number {
    return this.#taken;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** `taken`: call `release` when done. Everything else: no slot was taken. */
  take(callDeadline: CallDeadline): 'taken' | 'full' | Promise<'taken' | Interruption> {
    if (this.#taken < this.#limit) {
      this.#taken++;
      return 'taken';
    }
    if (this.#waiting.size >= this.#maxQueued) return 'full';
    return new Promise((resolve) => {
      const proceed = () => {
        callDeadline.listen(undefined);
        resolve('taken');
      };
      this.#waiting.add(proceed);
      callDeadline.listen((reason) => {
        this.#waiting.delete(proceed);
        resolve(reason);
      });
    });
  }

  release(): void {
    if (this.#waiting.size === 0) {
      this.#taken--;
      return;
    }
    // The slot goes to the next in line without becoming free in between.
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next();
      return;
    }
  }
}
