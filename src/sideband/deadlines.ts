/** What has to be over in time. The members are for {@link Deadlines} alone: it is a link of its chain. */
export interface Deadlined {
  /** Milliseconds of `performance.now()`. */
  dueAt: number;
  before: Deadlined | undefined;
  after: Deadlined | undefined;
  /** Called once when its time is up. */
  expired(): void;
}

/**
 * Deadlines that all lie equally far ahead, so that the first to start is the first to be due: one timer serves any number
 * of them, and who is done in time, as nearly all are, only leaves the chain.
 */
export class Deadlines {
  readonly #milliseconds: number;
  #first: Deadlined | undefined;
  #last: Deadlined | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  add(entry: Deadlined): void {
    entry.dueAt = performance.now() + this.#milliseconds;
    entry.before = this.#last;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.after = entry;
    this.#last = entry;
    if (this.#timer === undefined) this.#arm(this.#milliseconds);
  }

  /** Does nothing for one that is not in the chain (any more). */
  remove(entry: Deadlined): void {
    const { before, after } = entry;
    if (before === undefined && this.#first !== entry) return;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    entry.before = undefined;
    entry.after = undefined;
  }

  #arm(milliseconds: number): void {
    // Nobody is kept alive by it: what is waited for (a socket) does that.
    this.#timer = setTimeout(() => this.#tick(), milliseconds).unref();
  }

  #tick(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (let entry = this.#first; entry !== undefined; entry = this.#first) {
      if (entry.dueAt > now) {
        this.#arm(Math.ceil(entry.dueAt - now));
        return;
      }
      this.remove(entry);
      entry.expired();
    }
  }
}
