import type { Interruption, Patience } from './patience.js';

/**
 * Bounds the calls under way to one provider and the queue before them. undici's own queue knows neither a limit nor a
 * way out of it, so a call gets to undici only when there is a connection for it.
 */
export class CallSlots {
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
  take(patience: Patience): 'taken' | 'full' | Promise<'taken' | Interruption> {
    if (this.#taken < this.#limit) {
      this.#taken++;
      return 'taken';
    }
    if (this.#waiting.size >= this.#maxQueued) return 'full';
    return new Promise((resolve) => {
      const proceed = () => {
        patience.listen(undefined);
        resolve('taken');
      };
      this.#waiting.add(proceed);
      patience.listen((reason) => {
        this.#waiting.delete(proceed);
        resolve(reason);
      });
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken--;
      return;
    }
    // The slot goes to the next in line without becoming free in between.
    this.#waiting.delete(next);
    next();
  }
}
