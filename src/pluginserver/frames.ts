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
