import { mkdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

let fileNumber = 0;

export interface BodySource {
  /** Opens the client's body; the length is read when it is opened, so a header changed before has its effect. */
  open(length: number | undefined): AsyncIterable<Buffer>;
  /** Bytes of the body that came in together with the head (nginx's preread). */
  readonly preread: number;
  /** Sent before the body is read or thrown away, when the client asked for it. */
  readonly beforeReading: () => void;
  readonly chunked: boolean;
}

/** Puts a body on disk, in the folder nginx uses. @returns the file */
export async function spill(prefix: string, body: Buffer): Promise<string> {
  const folder = join(prefix, 'client_body_temp');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, String(++fileNumber).padStart(10, '0'));
  await writeFile(file, body, { mode: 0o600 });
  return file;
}

/** The client's request body: read once, kept in memory or (over the buffer size) in a file, and replaceable. */
export class RequestBody {
  #content: Buffer | undefined;
  #reading: Promise<Buffer> | undefined;
  #file: string | undefined;
  #replaced = false;

  constructor(
    private readonly source: BodySource,
    private readonly bufferSize: number,
    private readonly prefix: string,
    private readonly onSpill: (file: string) => void,
  ) {}

  /** What is in the file, when the body is in one. */
  get file(): string | undefined {
    return this.#file;
  }

  /** Chunked, or HTTP/2 without a length: only reading tells how long it is. */
  get chunked(): boolean {
    return this.source.chunked;
  }

  get wasRead(): boolean {
    return this.#content !== undefined;
  }

  /** Reads the client's body if that was not done yet. @throws BrokenBody */
  read(length: number | undefined): Promise<Buffer> {
    this.#reading ??= this.#readAll(length);
    return this.#replaced ? Promise.resolve(this.#content ?? Buffer.alloc(0)) : this.#reading;
  }

  /** Length of a chunked body that was read and not replaced. */
  get chunkedLength(): number | undefined {
    return this.source.chunked && !this.#replaced ? this.#content?.length : undefined;
  }

  replace(content: Buffer): void {
    this.#content = content;
    this.#replaced = true;
    this.#file = undefined;
  }

  /** Throws the rest of the client's body away. @throws BrokenBody */
  async discard(length: number | undefined): Promise<void> {
    if (this.#reading !== undefined) {
      await this.#reading;
      return;
    }
    this.#reading = Promise.resolve(Buffer.alloc(0));
    this.source.beforeReading();
    for await (const _ of this.source.open(length));
  }

  async cleanUp(): Promise<void> {
    if (this.#spilled !== undefined) await rm(this.#spilled, { force: true });
  }

  #spilled: string | undefined;

  async #readAll(length: number | undefined): Promise<Buffer> {
    this.source.beforeReading();
    const parts: Buffer[] = [];
    for await (const part of this.source.open(length)) parts.push(part);
    const content = Buffer.concat(parts);
    if (this.#tooLarge(content.length, length)) {
      this.#spilled = await spill(this.prefix, content);
      this.#file = this.#spilled;
      this.onSpill(this.#spilled);
    }
    this.#content = content;
    return content;
  }

  /** nginx keeps what came with the head; of the rest, a known length may exceed the buffer by a quarter. */
  #tooLarge(size: number, length: number | undefined): boolean {
    const rest = size - Math.min(this.source.preread, size);
    return length === undefined || this.source.chunked
      ? rest > this.bufferSize
      : rest >= this.bufferSize + (this.bufferSize >> 2);
  }
}
