import { type FileHandle, open } from 'node:fs/promises';
import { type LogLine, LogLines } from '../recordings/log-lines.js';

const CHUNK_BYTES = 256 * 1024;
/** Where a line begins is noted so often while lines are counted. */
const NOTED_LINES = 1000;

/** One file that is read as it grows. */
export class FollowedFile {
  readonly #handle: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #lines = new LogLines();
  #at = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** @throws Error when it cannot be opened or is no file */
  static async open(path: string): Promise<FollowedFile> {
    const handle = await open(path, 'r');
    const kind = await handle.stat();
    if (kind.isFile()) return new FollowedFile(handle);
    await handle.close();
    throw new Error(`${path} is not a file; name the file of --log-file, or - for standard input`);
  }

  /** What has been added since the last time, up to one chunk. @returns false when there was nothing */
  async read(onLine: (line: LogLine) => void): Promise<boolean> {
    const { bytesRead } = await this.#handle.read(this.#buffer, 0, CHUNK_BYTES, this.#at);
    if (bytesRead === 0) return false;
    this.#at += bytesRead;
    for (const line of this.#lines.push(this.#buffer.subarray(0, bytesRead))) onLine(line);
    return true;
  }

  /** Begins so many lines before the end. @returns how many are left out */
  async skipToLast(lines: number): Promise<number> {
    const starts: number[] = [0];
    let count = 0;
    let at = 0;
    for (;;) {
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) break;
      const chunk = this.#buffer.subarray(0, bytesRead);
      for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, end + 1)) {
        count += 1;
        if (count % NOTED_LINES === 0) starts.push(at + end + 1);
      }
      at += bytesRead;
    }
    const block = Math.max(0, Math.floor((count - lines) / NOTED_LINES));
    this.#at = starts[block] ?? 0;
    this.#lines = new LogLines(undefined, block * NOTED_LINES);
    return block * NOTED_LINES;
  }

  /** `truncated`: it is shorter than what has been read of it. */
  async state(): Promise<{
    readonly isSame: (other: FileId) => boolean;
    readonly isTruncated: boolean;
    readonly isRead: boolean;
  }> {
    const { ino, dev, size } = await this.#handle.stat();
    return {
      isSame: (other) => other.ino === ino && other.dev === dev,
      isTruncated: size < this.#at,
      isRead: size === this.#at,
    };
  }

  /** From its start again; what waits of the old content is given up. */
  restart(): void {
    this.#lines = new LogLines();
    this.#at = 0;
  }

  /** With the last line, ended or not. */
  async close(onLine?: (line: LogLine) => void): Promise<void> {
    if (onLine) for (const line of this.#lines.end()) onLine(line);
    await this.#handle.close();
  }
}

interface FileId {
  readonly ino: number;
  readonly dev: number;
}
