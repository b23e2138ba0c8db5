import type { Socket } from 'node:net';
import type { SharedMemory } from './options.js';
import { WireReader } from './wire-reader.js';
import { COPIED_BYTES, type PieceSink } from './wire-writer.js';

/** Length of a frame's header: uint32, little-endian. */
const HEADER_BYTES = 4;
const NO_BYTES: Buffer = Buffer.alloc(0);

export interface FrameSink {
  /** One whole payload, to be read during the call: the reader opens the next frame then. */
  onFrame(frame: WireReader): void;
  /**
   * A frame was announced that is larger than allowed, or for which there is no memory; nothing was allocated. Return true to
   * let its bytes pass unread (`onFrame` is not called for it), false to stop reading.
   */
  onOversize(announced: number): boolean;
  /** Asked before the bytes of a large frame are gathered; false when there is no memory for them. */
  reserve?(bytes: number): boolean;
}

/** Of smaller frames there are thousands, and they are whole in a moment. */
const SMALL_FRAME_BYTES = 65_536;

/**
 * Cuts a byte stream into frames. Linear in the number of bytes: a payload is read where it lies when it lies in one chunk,
 * and is copied once into a buffer of its announced size when it spans several.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  readonly #frame = new WireReader();
  /** The beginning of a header whose end has not arrived. */
  #header = NO_BYTES;
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
    return this.#header.length === 0 && this.#payload === undefined && this.#bytesToSkip === 0;
  }

  /** No more frames are handed out, whatever is still in the chunk. */
  stop(): void {
    this.#stopped = true;
    this.#payload = undefined;
  }

  push(received: Buffer): void {
    const chunk = this.#header.length === 0 ? received : Buffer.concat([this.#header, received]);
    this.#header = NO_BYTES;
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#bytesToSkip > 0) at += this.#skip(chunk.length - at);
      else if (this.#payload !== undefined) at += this.#fill(this.#payload, chunk, at);
      else if (chunk.length - at >= HEADER_BYTES) at = this.#startFrame(chunk, at);
      else {
        // A copy: a view would keep the whole chunk.
        this.#header = Buffer.from(chunk.subarray(at));
        return;
      }
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
      this.#sink.onFrame(this.#frame.open(payload, 0, payload.length));
    }
    return count;
  }

  /** Returns where the next frame begins, or the end of the chunk. */
  #startFrame(chunk: Buffer, at: number): number {
    const length = chunk.readUInt32LE(at);
    const start = at + HEADER_BYTES;
    const end = start + length;
    if (length <= this.#maxFrameBytes && chunk.length >= end) {
      this.#sink.onFrame(this.#frame.open(chunk, start, end));
      return end;
    }
    const isTaken =
      length <= this.#maxFrameBytes &&
      (length <= SMALL_FRAME_BYTES || this.#sink.reserve?.(length) !== false);
    if (isTaken) {
      this.#payload = Buffer.allocUnsafeSlow(length);
      this.#payloadBytes = 0;
    } else if (this.#sink.onOversize(length)) this.#bytesToSkip = length;
    else this.stop();
    return start;
  }
}

const MAX_SPARE_BUFFERS = 16;
/** Buffers that are not in use; connections share them, since most are idle most of the time. */
const spareBuffers: Buffer[] = [];
const settled = Promise.resolve();

/**
 * Collects what is sent during one turn of the event loop and writes it with one system call: calls that a plugin makes
 * together cost Kong one wake-up.
 */
export class WriteBuffer implements PieceSink {
  readonly #socket: Socket;
  readonly #memory: SharedMemory | undefined;
  /** Bytes that wait in the socket and are counted. */
  #held = 0;
  #buffer: Buffer | undefined;
  #used = 0;
  /** What comes before the bytes in the buffer. */
  #pieces: Uint8Array[] = [];
  #scheduled = false;
  readonly #flush = (): void => this.flush();
  readonly #afterPromises = (): void => process.nextTick(this.#flush);

  /** @param memory counts what Kong has not taken yet: an event's own reservation ends with the event */
  constructor(socket: Socket, memory?: SharedMemory) {
    this.#socket = socket;
    this.#memory = memory;
  }

  add(piece: Uint8Array): void {
    const { length } = piece;
    if (length > COPIED_BYTES) {
      this.#closeBuffer();
      this.#pieces.push(piece);
    } else {
      if (this.#used + length > COPIED_BYTES) this.#closeBuffer();
      this.#buffer ??= spareBuffers.pop() ?? Buffer.allocUnsafeSlow(COPIED_BYTES);
      this.#buffer.set(piece, this.#used);
      this.#used += length;
    }
  }

  /** Sends what there is at the end of this turn of the event loop, together with what is added until then. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // The tick runs when no promise callback is left, so calls made by later callbacks of this turn join in.
    void settled.then(this.#afterPromises);
  }

  /** Sends what there is, without waiting for more. */
  flush(): void {
    this.#scheduled = false;
    const socket = this.#socket;
    if (this.#pieces.length > 0) {
      this.#closeBuffer();
      const pieces = this.#pieces;
      this.#pieces = [];
      if (!socket.writable) return;
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
      this.#holdWaiting();
      return;
    }
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    this.#buffer = undefined;
    if (socket.writable) socket.write(buffer.subarray(0, this.#used));
    this.#used = 0;
    // Nothing waits in the stream: the kernel has a copy of all bytes.
    if (socket.writableLength === 0 && spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(buffer);
  }

  /** A Kong that is busy takes a body of megabytes late, and the events of other requests go on meanwhile. */
  #holdWaiting(): void {
    const memory = this.#memory;
    const waiting = this.#socket.writableLength;
    if (memory === undefined || waiting <= Math.max(SMALL_FRAME_BYTES, this.#held)) return;
    memory.hold(waiting - this.#held);
    if (this.#held === 0) {
      const giveBack = (): void => {
        memory.giveBack(this.#held);
        this.#held = 0;
        this.#socket.off('drain', giveBack);
        this.#socket.off('close', giveBack);
      };
      this.#socket.on('drain', giveBack);
      this.#socket.on('close', giveBack);
    }
    this.#held = waiting;
  }

  #closeBuffer(): void {
    if (this.#buffer === undefined) return;
    this.#pieces.push(this.#buffer.subarray(0, this.#used));
    this.#buffer = undefined;
    this.#used = 0;
  }
}
