import type { MemoryReservation } from '../http/memory-reservation.js';
import { overloaded } from '../kong/call-errors.js';
import type { Phase } from '../telemetry/decision-log.js';

const DEFAULT_BYTES = 256 * 1024 * 1024;
/** Requests get no more than this share of it, so that responses, which the upstream has already produced, can finish. */
const SHARE_OF_REQUESTS = 0.75;
/**
 * An event that holds no more than this is not counted: it is a message without a body to speak of, there can only be
 * `--max-events` of them, and large bodies must not keep them out.
 */
const UNCOUNTED_BYTES = 16_384;
/** From here on, or from a quarter of a small budget on, messages in progress make up much of the heap; below half of it no longer. */
const MUCH_BYTES = 8 * 1024 * 1024;

/**
 * Bounds the memory for messages in progress over all events of the process. Limits for one message and for the number of events
 * do not: 4096 times 16 MB are more than any machine has.
 */
export class MemoryBudget {
  readonly #limit: number;
  readonly #much: number;
  readonly #onLoad: (isMuch: boolean) => void;
  #held = 0;
  #isMuch = false;

  /**
   * @param limit bytes
   * @param onLoad told when messages in progress begin to take much memory, and when they no longer do
   */
  constructor(limit: number = DEFAULT_BYTES, onLoad: (isMuch: boolean) => void = () => {}) {
    this.#limit = limit;
    this.#much = Math.min(MUCH_BYTES, limit / 4);
    this.#onLoad = onLoad;
  }

  /** Bytes that messages in progress may take. */
  get held(): number {
    return this.#held;
  }

  /** The memory of one event. To be released when the event ends. */
  reservation(phase: Phase): EventMemory {
    return new EventMemory(this, phase === 'access' ? this.#limit * SHARE_OF_REQUESTS : this.#limit);
  }

  /**
   * Reserves bytes; false when there are not so many left. An event that holds everything that is held (`own`) may have more: a message
   * larger than the whole budget is let in alone.
   */
  reserve(bytes: number, limit = this.#limit, own = 0): boolean {
    // NaN would end all counting, and a negative number make room for others; no length of Kong's is either.
    if (!(bytes >= 0) || (this.#held > own && this.#held + bytes > limit)) return false;
    this.hold(bytes);
    return true;
  }

  /** Counts bytes that are held already, however much is left; no more are reserved until they are given back. */
  hold(bytes: number): void {
    this.#held += bytes;
    if (!this.#isMuch && this.#held >= this.#much) this.#load(true);
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
    if (this.#isMuch && this.#held < this.#much / 2) this.#load(false);
  }

  #load(isMuch: boolean): void {
    this.#isMuch = isMuch;
    this.#onLoad(isMuch);
  }
}

/** What one event holds of the budget. */
export class EventMemory implements MemoryReservation {
  readonly #budget: MemoryBudget;
  readonly #limit: number;
  #bytes = 0;
  /** Of these bytes, what is reserved: all, or none while they are few. */
  #reserved = 0;

  constructor(budget: MemoryBudget, limit: number) {
    this.#budget = budget;
    this.#limit = limit;
  }

  grow(bytes: number): void {
    const total = this.#bytes + bytes;
    if (bytes >= 0 && total <= UNCOUNTED_BYTES && this.#reserved === 0) {
      this.#bytes = total;
      return;
    }
    if (!this.#budget.reserve(total - this.#reserved, this.#limit, this.#reserved)) {
      throw overloaded(`${this.#budget.held} bytes are reserved and ${bytes} more would be too much`);
    }
    this.#bytes = total;
    this.#reserved = total;
  }

  shrink(bytes: number): void {
    this.#bytes = Math.max(0, this.#bytes - bytes);
    if (this.#reserved > this.#bytes) {
      this.#budget.giveBack(this.#reserved - this.#bytes);
      this.#reserved = this.#bytes;
    }
  }

  /** Gives everything back. */
  release(): void {
    if (this.#reserved > 0) this.#budget.giveBack(this.#reserved);
    this.#bytes = 0;
    this.#reserved = 0;
  }
}
