import type { Duplex } from 'node:stream';

const HIGH_WATER = 1 << 20;

/** No byte came within the time that was given. */
export class ReadTimeout extends Error {
  override readonly name = 'ReadTimeout';
}

/** Pulls bytes out of a socket. Knows a clean end (`ended`, no `error`) from a broken connection (`error`). */
export class ByteReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #wake: (() => void) | undefined;
  ended = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(private readonly socket: Duplex) {
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      if (this.#size > HIGH_WATER) socket.pause();
      this.#wake?.();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error ??= error;
      this.#finish();
    });
    socket.on('end', () => this.#finish());
    socket.on('close', () => this.#finish());
  }

  get size(): number {
    return this.#size;
  }

  /** Everything that has come in and was not taken yet. */
  view(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  skip(count: number): void {
    const rest = this.view().subarray(count);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    this.#resume();
  }

  /** Waits for more bytes than there are now. False when nothing more comes. @throws ReadTimeout */
  async more(timeoutMs?: number): Promise<boolean> {
    const had = this.#size;
    while (this.#size === had) {
      if (this.ended) return false;
      // Whoever asks needs a piece larger than what is buffered; a paused socket would never bring it.
      if (this.socket.isPaused()) this.socket.resume();
      await this.#wait(timeoutMs);
    }
    return true;
  }

  /** At least one byte and at most `max`; undefined at the end. @throws ReadTimeout */
  async some(max: number, timeoutMs?: number): Promise<Buffer | undefined> {
    if (this.#size === 0 && !(await this.more(timeoutMs))) return undefined;
    const first = this.#chunks.shift();
    if (first === undefined) return undefined;
    const taken = first.subarray(0, max);
    if (first.length > max) this.#chunks.unshift(first.subarray(max));
    this.#size -= taken.length;
    this.#resume();
    return taken;
  }

  #resume(): void {
    if (this.#size < HIGH_WATER && this.socket.isPaused()) this.socket.resume();
  }

  #finish(): void {
    this.ended = true;
    this.#wake?.();
  }

  #wait(timeoutMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              this.#wake = undefined;
              reject(new ReadTimeout(`nothing received for ${timeoutMs} ms`));
            }, timeoutMs);
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The sender's framing is broken or ended early. */
export class BrokenBody extends Error {
  override readonly name = 'BrokenBody';
  constructor(readonly reason: 'bad_chunk' | 'cut') {
    super(reason === 'cut' ? 'the body ended early' : 'invalid chunk');
  }
}

async function line(reader: ByteReader, timeoutMs?: number): Promise<string> {
  for (;;) {
    const at = reader.view().indexOf(0x0a);
    if (at >= 0) {
      const text = reader.view().subarray(0, at).toString('latin1').replace(/\r$/, '');
      reader.skip(at + 1);
      return text;
    }
    if (!(await reader.more(timeoutMs))) throw new BrokenBody('cut');
  }
}

/** The payload of a chunked body, trailers read and dropped. @throws BrokenBody, ReadTimeout */
export async function* chunkedBody(reader: ByteReader, timeoutMs?: number): AsyncGenerator<Buffer> {
  for (;;) {
    const size = /^([0-9a-f]{1,12})[ \t]*(;.*)?$/i.exec(await line(reader, timeoutMs));
    if (size?.[1] === undefined) throw new BrokenBody('bad_chunk');
    let left = Number.parseInt(size[1], 16);
    if (left === 0) {
      while ((await line(reader, timeoutMs)) !== '');
      return;
    }
    while (left > 0) {
      const part = await reader.some(left, timeoutMs);
      if (part === undefined) throw new BrokenBody('cut');
      left -= part.length;
      yield part;
    }
    if ((await line(reader, timeoutMs)) !== '') throw new BrokenBody('bad_chunk');
  }
}

/** A body of a known length. @throws BrokenBody, ReadTimeout */
export async function* sizedBody(
  reader: ByteReader,
  length: number,
  timeoutMs?: number,
): AsyncGenerator<Buffer> {
  let left = length;
  while (left > 0) {
    const part = await reader.some(left, timeoutMs);
    if (part === undefined) throw new BrokenBody('cut');
    left -= part.length;
    yield part;
  }
}

/** Everything until the sender closes. @throws ReadTimeout */
export async function* untilClose(reader: ByteReader, timeoutMs?: number): AsyncGenerator<Buffer> {
  for (;;) {
    const part = await reader.some(1 << 16, timeoutMs);
    if (part === undefined) return;
    yield part;
  }
}
