import type { Socket } from 'node:net';

/** Length of a frame's header: uint32, little-endian. */
export const HEADER_BYTES = 4;

export interface FrameSink {
  /** One whole payload. It may be a view into the chunk that came from the socket: valid as long as it is referenced. */
  onFrame(payload: Buffer): void;
  /**
   * A frame of more bytes than allowed was announced; nothing was allocated. Return true to let its bytes pass unread
   * (`onFrame` is not called for it), false to stop reading.
   */
  onOversize(announced: number): boolean;
}

/**
 * Cuts a byte stream into frames. Linear in the number of bytes: a payload is a view when it lies in one chunk, and is
 * copied once into a buffer of its announced size when it spans several.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #payload: Buffer | undefined;
  #payloadBytes = 0;
  #bytesToSkip = 0;
  #stopped = false;

  constructor(maxFrameBytes: number, sink: FrameSink) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#sink = sink;
  }

  /** True between frames: the stream may end here without anything being cut off. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0 && this.#payload === undefined && this.#bytesToSkip === 0;
  }

  /** No more frames are handed out, whatever is still in the chunk. */
  stop(): void {
    this.#stopped = true;
    this.#payload = undefined;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#bytesToSkip > 0) at += this.#skip(chunk.length - at);
      else if (this.#payload !== undefined) at += this.#fill(this.#payload, chunk, at);
      else at += this.#startFrame(chunk, at);
    }
  }

  #skip(available: number): number {
    const count = Math.min(available, this.#bytesToSkip);
    this.#bytesToSkip -= count;
    return count;
  }

  #fill(payload: Buffer, chunk: Buffer, at: number): number {
    const count = chunk.copy(payload, this.#payloadBytes, at);
    this.#payloadBytes += count;
    if (this.#payloadBytes === payload.length) {
      this.#payload = undefined;
      this.#sink.onFrame(payload);
    }
    return count;
  }

  #startFrame(chunk: Buffer, at: number): number {
    let length: number;
    let used: number;
    if (this.#headerBytes === 0 && chunk.length - at >= HEADER_BYTES) {
      length = chunk.readUInt32LE(at);
      used = HEADER_BYTES;
    } else {
      used = chunk.copy(this.#header, this.#headerBytes, at);
      this.#headerBytes += used;
      if (this.#headerBytes < HEADER_BYTES) return used;
      this.#headerBytes = 0;
      length = this.#header.readUInt32LE(0);
    }
    if (length > this.#maxFrameBytes) {
      if (this.#sink.onOversize(length)) this.#bytesToSkip = length;
      else this.stop();
      return used;
    }
    const start = at + used;
    if (chunk.length - start >= length) {
      this.#sink.onFrame(chunk.subarray(start, start + length));
      return used + length;
    }
    this.#payload = Buffer.allocUnsafeSlow(length);
    this.#payloadBytes = 0;
    return used;
  }
}

/** Up to here several pieces are copied into one buffer; larger ones go to the kernel as they are (writev). */
const COPY_BYTES = 64 * 1024;

/**
 * Collects what is sent during one turn of the event loop and writes it with one system call: calls that a plugin makes
 * together cost Kong one wake-up.
 */
export class Outbox {
  readonly #socket: Socket;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  readonly add = (pieces: readonly Uint8Array[]): void => {
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    // The inner tick runs when no promise callback is left, so calls made by later callbacks of this turn join in.
    process.nextTick(() => queueMicrotask(() => process.nextTick(() => this.flush())));
  };

  flush(): void {
    this.#scheduled = false;
    const pieces = this.#pieces;
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    const [first] = pieces;
    if (first === undefined || !this.#socket.writable) return;
    if (pieces.length === 1) this.#socket.write(first);
    else if (bytes <= COPY_BYTES) this.#socket.write(Buffer.concat(pieces, bytes));
    else {
      this.#socket.cork();
      for (const piece of pieces) this.#socket.write(piece);
      this.#socket.uncork();
    }
  }
}
