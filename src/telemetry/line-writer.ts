import { write, writeSync } from 'node:fs';

export interface LineWriterOptions {
  /** Bytes that may wait for a slow disk or reader; lines beyond it are dropped and counted. */
  readonly maxWaitingBytes: number;
  /** Called once when writing begins to fail, and once with undefined when it works again; with the lines lost so far. */
  readonly onState?: (error: Error | undefined, lost: number) => void;
}

const RETRY_MS = 50;
/** Lines are collected for so long before they are written: a system call for each would cost more than the line itself. */
const COLLECT_MS = 10;

/**
 * Appends lines to a file descriptor without ever blocking or throwing, several lines in one system call when they come
 * quickly. Lines that cannot be written are lost. (SonicBoom, pino's own writer, keeps them and spins for ever on a
 * full disk when it is flushed at exit.)
 */
export class LineWriter {
  readonly #options: LineWriterOptions;
  #fd: number | undefined;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #inWork: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #failing = false;
  #halfLine = false;
  #closed = false;

  /** @param fd undefined: there is no file yet, and lines are lost until `replace` brings one */
  constructor(fd: number | undefined, options: LineWriterOptions) {
    this.#fd = fd;
    this.#options = options;
  }

  write(line: string): void {
    if (this.#closed) return;
    const bytes = Buffer.byteLength(line);
    if (this.#fd === undefined || this.#waitingBytes + bytes > this.#options.maxWaitingBytes) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    if (this.#inWork === undefined) this.#collect();
  }

  /** From the next write on, another file. @returns the one used so far, to be closed by the caller. */
  replace(fd: number): number | undefined {
    const before = this.#fd;
    this.#fd = fd;
    this.#halfLine = false;
    return before;
  }

  /** Nothing can be written, or no file be opened. */
  fail(error: Error): void {
    if (this.#failing || this.#closed) return;
    this.#failing = true;
    this.#options.onState?.(error, this.#lost);
  }

  /** Writes what waits as far as that goes at once. A write under way is repeated: a line twice is better than none. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#fd === undefined) return;
    const rest = [this.#inWork ?? Buffer.alloc(0), this.#takeWaiting()];
    try {
      let left = Buffer.concat(rest);
      while (left.length > 0) left = left.subarray(writeSync(this.#fd, left));
    } catch {
      // Full, gone, or a reader that does not keep up: the process ends now, not when that has changed.
    }
  }

  #collect(): void {
    this.#timer ??= setTimeout(() => this.#writeNext(), COLLECT_MS).unref();
  }

  #takeWaiting(): Buffer {
    const lines = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return Buffer.from((this.#halfLine && lines.length > 0 ? '\n' : '') + lines.join(''));
  }

  #writeNext(): void {
    this.#timer = undefined;
    if (this.#closed) return;
    const bytes = this.#takeWaiting();
    this.#inWork = bytes.length > 0 ? bytes : undefined;
    if (this.#inWork) this.#send(this.#inWork);
  }

  #send(bytes: Buffer): void {
    if (this.#fd === undefined) return;
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      if (this.#closed) return;
      if (error === null) {
        const rest = bytes.subarray(written);
        this.#halfLine = rest.length > 0;
        this.#inWork = rest.length > 0 ? rest : undefined;
        if (rest.length > 0) return this.#send(rest);
        if (this.#failing) this.#recovered();
        if (this.#waiting.length > 0) this.#collect();
        return;
      }
      // A pipe that is full: its reader is slow, not gone.
      if (error.code === 'EAGAIN') return void setTimeout(() => this.#send(bytes), RETRY_MS).unref();
      this.#lost += countLines(bytes) + this.#waiting.length;
      this.#takeWaiting();
      this.#inWork = undefined;
      this.fail(error);
    });
  }

  #recovered(): void {
    const lost = this.#lost;
    this.#failing = false;
    this.#lost = 0;
    this.#options.onState?.(undefined, lost);
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0x0a) count += 1;
  return count;
}
