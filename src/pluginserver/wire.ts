import { isAsciiText, textFromBytes, textLength, writeText } from './text.js';

/** Wire types of Protocol Buffers; groups (3, 4) do not occur in proto3. */
export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const FIXED32 = 5;

/** Bytes that are no message of this protocol. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Up to here {@link WireReader.readAhead} pays: a text that is cut out of a frame keeps the whole of it in memory. */
const AHEAD_BYTES = 16 * 1024;
const NO_BYTES: Buffer = Buffer.alloc(0);

/** Reads the fields of one message after the other. All methods throw {@link WireError} when the bytes end early or make no sense. */
export class WireReader {
  #bytes = NO_BYTES;
  #at = 0;
  #end = 0;
  /** The message as Latin-1 from `#aheadAt` on. */
  #ahead: string | undefined;
  #aheadAt = 0;

  constructor(bytes = NO_BYTES, start = 0, end = bytes.length) {
    this.open(bytes, start, end);
  }

  /** Goes on with the message in these bytes. */
  open(bytes: Buffer, start: number, end: number): this {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#ahead = undefined;
    return this;
  }

  /** Bytes that were not read yet. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** For a message of many texts: decodes it once, and ASCII texts are cut out of that. */
  readAhead(): this {
    if (this.left <= AHEAD_BYTES) {
      this.#ahead = this.#bytes.toString('latin1', this.#at, this.#end);
      this.#aheadAt = this.#at;
    }
    return this;
  }

  /** The next tag (field number × 8 + wire type), 0 at the end of the message. */
  tag(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.varint();
    if (tag < 8 || tag > 0xffffffff) throw new WireError(`field tag ${tag}`);
    return tag;
  }

  /** An unsigned number up to 2^53 - 1; a negative int32 or int64 (ten bytes) comes as its signed value if that is safe. */
  varint(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80 && this.#at < this.#end) {
      this.#at++;
      return first;
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw new WireError('number cut off');
      const byte = this.#bytes[this.#at++] ?? 0;
      if (shift < 28) low += (byte & 0x7f) * 2 ** shift;
      else high += (byte & 0x7f) * 2 ** (shift - 28);
      if (byte < 0x80) return joinVarint(low, high);
    }
    throw new WireError('number longer than ten bytes');
  }

  double(): number {
    const at = this.#take(8);
    return this.#bytes.readDoubleLE(at);
  }

  text(): string {
    const length = this.#length();
    const at = this.#take(length);
    const end = at + length;
    if (this.#ahead !== undefined && isAsciiText(this.#bytes, at, end)) {
      return this.#ahead.slice(at - this.#aheadAt, end - this.#aheadAt);
    }
    return textFromBytes(this.#bytes, at, end);
  }

  /** All bytes that were not read yet; a view, not a copy. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#at, this.#end);
  }

  /** A view into the frame, not a copy. */
  bytes(): Buffer {
    const length = this.#length();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Goes into a nested message, to be read to its end. Returns what {@link leave} needs. */
  enter(): number {
    const length = this.#length();
    const at = this.#take(length);
    const outer = this.#end;
    this.#at = at;
    this.#end = at + length;
    return outer;
  }

  leave(outer: number): void {
    this.#end = outer;
  }

  message<T>(read: (reader: this, depth: number) => T, depth = 0): T {
    const outer = this.enter();
    const result = read(this, depth);
    this.leave(outer);
    return result;
  }

  /** Passes over a field that this version does not know. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.#take(8);
        return;
      case DELIMITED:
        this.#take(this.#length());
        return;
      case FIXED32:
        this.#take(4);
        return;
      default:
        throw new WireError(`wire type ${tag & 7}`);
    }
  }

  #length(): number {
    const length = this.varint();
    if (length < 0) throw new WireError('negative length');
    return length;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw new WireError('field cut off');
    this.#at = at + count;
    return at;
  }
}

/** `low` holds 28 bits, `high` the bits above; 64 bits set at the top mean a negative number. */
function joinVarint(low: number, high: number): number {
  const value = high >= 2 ** 35 ? (high - 2 ** 36) * 2 ** 28 + low : high * 2 ** 28 + low;
  if (!Number.isSafeInteger(value)) throw new WireError('number out of range');
  return value;
}

/** Larger pieces are passed on as they are instead of being copied, and go to the kernel so (writev). */
export const COPIED_BYTES = 16 * 1024;
const FIRST_BUFFER_BYTES = 1024;
const KEPT_BUFFER_BYTES = 4 * COPIED_BYTES;

/** Where finished messages go. A piece of up to {@link COPIED_BYTES} is copied; a larger one must not change any more. */
export interface PieceSink {
  add(piece: Uint8Array): void;
}

/**
 * Builds a message from its last byte to its first: the length that stands before a nested message is then known when it is
 * written, so nothing is measured twice or moved. Callers write fields, list items and map entries in reverse order.
 */
export class WireWriter {
  #whole: Buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  /** The part of it that is still free or not yet a finished piece. */
  #buffer = this.#whole;
  #at = FIRST_BUFFER_BYTES;
  /** Finished pieces, the last one first. */
  readonly #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#pieceBytes + this.#buffer.length - this.#at;
  }

  /** Sends all that was written; then the writer is as new. */
  sendTo(out: PieceSink): void {
    // What was copied is free again; what was not belongs to the sink now.
    if (this.length > COPIED_BYTES) this.#whole = NO_BYTES;
    if (this.#pieces.length === 0) out.add(this.#buffer.subarray(this.#at));
    else for (const piece of this.finish()) out.add(piece);
    this.clear();
  }

  /** Forgets what was written. */
  clear(): void {
    if (this.#whole.length === 0 || this.#whole.length > KEPT_BUFFER_BYTES) {
      this.#whole = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
    }
    this.#buffer = this.#whole;
    this.#at = this.#buffer.length;
    this.#pieces.length = 0;
    this.#pieceBytes = 0;
  }

  /** All that was written, front to back. */
  finish(): Uint8Array[] {
    this.#seal();
    return this.#pieces.reverse();
  }

  /** An integer between ±2^53; negative ones take ten bytes, as protobuf wants it. */
  varint(value: number): void {
    if (value < 0x80 && value >= 0) {
      this.#room(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    const size = varintLength(value);
    this.#room(size);
    this.#at -= size;
    let at = this.#at;
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 0x80n; rest >>= 7n) this.#buffer[at++] = Number(rest & 0x7fn) | 0x80;
      this.#buffer[at] = Number(rest);
      return;
    }
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.#buffer[at++] = (rest % 128) | 0x80;
    this.#buffer[at] = rest;
  }

  double(value: number): void {
    this.#room(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** Large arrays are referenced, not copied: they must not change until the socket has taken them. */
  raw(bytes: Uint8Array): void {
    if (bytes.length > COPIED_BYTES) {
      this.#seal();
      this.#pieces.push(bytes);
      this.#pieceBytes += bytes.length;
      return;
    }
    this.#room(bytes.length);
    this.#at -= bytes.length;
    this.#buffer.set(bytes, this.#at);
  }

  text(text: string): void {
    const length = textLength(text);
    this.#room(length);
    this.#at -= length;
    writeText(text, this.#buffer, this.#at);
  }

  /** Tag, length and content of a string field. */
  textField(tag: number, text: string): void {
    const before = this.length;
    this.text(text);
    this.close(tag, before);
  }

  /** Tag, length and content of a bytes field. */
  bytesField(tag: number, bytes: Uint8Array): void {
    const before = this.length;
    this.raw(bytes);
    this.close(tag, before);
  }

  /** Puts tag and length in front of what was written since `length` was `before`. */
  close(tag: number, before: number): void {
    this.varint(this.length - before);
    this.varint(tag);
  }

  /** Puts Kong's frame header (uint32, little-endian) in front of what was written since `length` was `before`. */
  closeFrame(before: number): void {
    const size = this.length - before;
    this.#room(4);
    this.#at -= 4;
    this.#buffer.writeUInt32LE(size, this.#at);
  }

  #room(bytes: number): void {
    if (bytes <= this.#at) return;
    const used = this.#buffer.length - this.#at;
    const bigger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, used + bytes + FIRST_BUFFER_BYTES));
    this.#buffer.copy(bigger, bigger.length - used, this.#at);
    this.#at = bigger.length - used;
    this.#whole = bigger;
    this.#buffer = bigger;
  }

  #seal(): void {
    if (this.#at === this.#buffer.length) return;
    const piece = this.#buffer.subarray(this.#at);
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    // What is left in front of the piece is still free.
    this.#buffer = this.#buffer.subarray(0, this.#at);
  }
}

function varintLength(value: number): number {
  if (value < 0) return 10;
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) length++;
  return length;
}
