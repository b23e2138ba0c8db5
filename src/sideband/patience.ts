export type Interruption = 'deadline' | 'client_gone';

/**
 * How long one sideband call may take, whatever happens in it: queue, connection, failover, answer. Ends early when the
 * client goes away. The steps of a call follow each other, so one listener at a time is enough.
 */
export class Patience {
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  #listener: ((reason: Interruption) => void) | undefined;
  #reason: Interruption | undefined;
  readonly #onAbort = () => this.#interrupt('client_gone');

  constructor(milliseconds: number, signal: AbortSignal | undefined) {
    this.#timer = setTimeout(() => this.#interrupt('deadline'), milliseconds);
    this.#signal = signal;
    if (signal?.aborted) this.#reason = 'client_gone';
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Set once patience has ended. */
  get ended(): Interruption | undefined {
    return this.#reason;
  }

  /** Called once when patience ends, unless it already has; undefined takes the listener away. */
  listen(listener: ((reason: Interruption) => void) | undefined): void {
    this.#listener = listener;
  }

  /** To be called when the call is over; nothing is left behind. */
  close(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
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
