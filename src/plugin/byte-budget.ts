import { PingAuthError } from '../errors/ping-auth-error.js';

/** Of a body there are, at the worst moment, its bytes, its text, the payload with it, and the answer. */
const COPIES = 4;
/** When a refused client may try again; bodies are in work for milliseconds to seconds. */
const RETRY_SECONDS = 1;
const DEFAULT_BYTES = 256 * 1024 * 1024;

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
  take(bodyBytes: number): number {
    const bytes = bodyBytes * COPIES;
    if (this.#held > 0 && this.#held + bytes > this.#limit) {
      throw new PingAuthError('server_overloaded', {
        detail: `${this.#held} bytes are in work and a body of ${bodyBytes} would be too much for --max-inflight-bytes`,
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    this.#held += bytes;
    return bytes;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}
