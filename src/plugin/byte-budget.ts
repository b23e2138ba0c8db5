import { overloaded } from '../kong/call-errors.js';
import type { Phase } from '../telemetry/decision-log.js';

/** Of a body there are, at the worst moment, its bytes, its text, the payload with it, and the answer. */
const COPIES = 4;
const DEFAULT_BYTES = 256 * 1024 * 1024;
/** Requests get no more than this share of it: what has been at the upstream already is to come to its end first. */
const SHARE_OF_REQUESTS = 0.75;

/**
 * Bounds the memory for messages in work over all requests of the process: limits for one message and for the number of
 * requests do not, since 4096 times 16 MB are more than any machine has.
 */
export class ByteBudget {
  readonly #limit: number;
  #held = 0;

  /** @param limit bytes */
  constructor(limit: number = DEFAULT_BYTES) {
    this.#limit = limit;
  }

  /** Bytes that messages in work may take. */
  get held(): number {
    return this.#held;
  }

  /**
   * Sets memory aside for a body, before it is read. One that is larger than the whole budget is let in alone.
   *
   * @param bodyBytes its length; 0 when nobody knows it yet
   * @returns what has to be given back
   * @throws PingAuthError `server_overloaded`
   */
  take(bodyBytes: number, phase: Phase): number {
    const bytes = bodyBytes * COPIES;
    // Over HTTP/2 a request may have no body at all.
    const isShared = phase === 'access' && bytes > 0;
    const limit = isShared ? this.#limit * SHARE_OF_REQUESTS : this.#limit;
    if (!this.reserve(bytes, limit)) {
      throw overloaded(`${this.#held} bytes are in work and ${bodyBytes} more would be too much`);
    }
    return bytes;
  }

  /** The same for bytes that are held once, without an error. */
  reserve(bytes: number, limit = this.#limit): boolean {
    // NaN would end all counting, and a negative number make room for others; no length of Kong's is either.
    if (!(bytes >= 0) || (this.#held > 0 && this.#held + bytes > limit)) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }

  /** How much of an answer is beyond what was taken for its message. @param taken what `take` gave back so far */
  static beyond(answerBytes: number, taken: number): number {
    return Math.max(0, answerBytes - Math.floor(taken / COPIES));
  }
}
