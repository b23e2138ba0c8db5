/// <reference lib="es2024.string" />

/** Larger pieces are passed on as they are instead of being copied, and go to the kernel so (writev). */
export const COPIED_BYTES = 16 * 1024;
const NO_BUFFER = Buffer.alloc(0);
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
    if (this.length > COPIED_BYTES) this.#whole = NO_BUFFER;
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

/** Number of bytes that {@link writeText} will write. */
export function textLength(text: string): number {
  const length = Buffer.byteLength(text);
  if (text.isWellFormed()) return length;
  // byteLength counts every lone surrogate as the three bytes of U+FFFD; an escaped byte is one.
  let escaped = 0;
  for (let i = 0; i < text.length; i++) if (isEscapedByte(text, i)) escaped++;
  return length - 2 * escaped;
}

/** Writes at `offset` and returns the offset behind. The buffer must have room for textLength(text) bytes. */
export function writeText(text: string, into: Buffer, offset: number): number {
  if (text.isWellFormed()) return offset + into.write(text, offset, 'utf8');
  let at = offset;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (!isEscapedByte(text, i)) continue;
    if (i > from) at += into.write(text.slice(from, i), at, 'utf8');
    into[at++] = text.charCodeAt(i) & 0xff;
    from = i + 1;
  }
  if (from < text.length) at += into.write(text.slice(from), at, 'utf8');
  return at;
}

function isEscapedByte(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  if (unit < 0xdc80 || unit > 0xdcff) return false;
  const before = index > 0 ? text.charCodeAt(index - 1) : 0;
  return before < 0xd800 || before > 0xdbff;
}
