/** Longer lines are no lines of ping-auth: a recording has a megabyte at most. */
const MAX_LOG_LINE_BYTES = 8 * 1024 * 1024;

export interface LogLine {
  /** From 1, as an editor counts. */
  readonly number: number;
  /** Without its line feed; undefined when the line was longer than allowed. */
  readonly text: string | undefined;
}

/**
 * Chunks of a file in, whole lines out. Holds one unfinished line at most, and of a line that is too long nothing:
 * a file of gigabytes without a line feed costs no memory.
 */
export class LogLines {
  readonly #maxBytes: number;
  /** Beginnings of a line that goes on in the next chunk. */
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #number: number;

  /** @param skipped lines in front of the first chunk */
  constructor(maxBytes: number = MAX_LOG_LINE_BYTES, skipped = 0) {
    this.#maxBytes = maxBytes;
    this.#number = skipped;
  }

  *push(bytes: Uint8Array): Generator<LogLine> {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      if (end === -1) break;
      // Nearly every line lies in one chunk: no copy of it is needed.
      if (this.#bytes === 0 && end - start <= this.#maxBytes) {
        this.#number += 1;
        const last = end > start && chunk[end - 1] === 0x0d ? end - 1 : end;
        yield { number: this.#number, text: chunk.toString('utf8', start, last) };
      } else {
        this.#keep(chunk.subarray(start, end));
        yield this.#take();
      }
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The last line, when the file does not end with a line feed. */
  *end(): Generator<LogLine> {
    if (this.#bytes > 0) yield this.#take();
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) this.#parts = [];
    // A copy: the giver may use its buffer again.
    else this.#parts.push(Uint8Array.from(part));
  }

  #take(): LogLine {
    const isWhole = this.#bytes <= this.#maxBytes;
    const text = isWhole ? Buffer.concat(this.#parts).toString('utf8').replace(/\r$/, '') : undefined;
    this.#parts = [];
    this.#bytes = 0;
    this.#number += 1;
    return { number: this.#number, text };
  }
}
