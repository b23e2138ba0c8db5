/** Longer lines are no lines of ping-auth: its bodies are cut at 1000 characters, its lists at 1000 headers. */
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
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #number = 0;

  constructor(maxBytes: number = MAX_LOG_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Uint8Array): Generator<LogLine> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      if (end === -1) break;
      this.#keep(chunk.subarray(start, end));
      yield this.#take();
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The last line, when the file does not end with a line feed. */
  *end(): Generator<LogLine> {
    if (this.#bytes > 0) yield this.#take();
  }

  /** After the file has been replaced: lines count from 1 again, what waits of the old file is given up. */
  restart(): void {
    this.#parts = [];
    this.#bytes = 0;
    this.#number = 0;
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
