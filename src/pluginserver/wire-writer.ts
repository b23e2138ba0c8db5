import { encodeLossless } from '../http/text.js';
import {
  BOOL_VALUE,
  ENTRY,
  ENTRY_KEY,
  ENTRY_VALUE,
  LIST_VALUE,
  MAX_DEPTH,
  NULL_VALUE,
  NUMBER_VALUE,
  STRING_VALUE,
  STRUCT_VALUE,
} from './wire-reader.js';

/** Larger pieces are passed on as they are instead of being copied, and go to the kernel so (writev). */
export const COPIED_BYTES = 16 * 1024;
const FIRST_BUFFER_BYTES = 1024;

/** Where finished messages go. A piece of up to {@link COPIED_BYTES} is copied; a larger one must not change any more. */
export interface PieceSink {
  add(piece: Uint8Array): void;
}

/**
 * Builds a message from its last byte to its first: the length that stands before a nested message is then known when it is
 * written, so nothing is measured twice or moved. Callers write fields, list items and map entries in reverse order.
 */
export class WireWriter {
  #buffer: Buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  /** Where the bytes in the buffer begin. */
  #at = FIRST_BUFFER_BYTES;
  /** What comes behind the bytes in the buffer, the last piece first. */
  readonly #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#pieceBytes + this.#buffer.length - this.#at;
  }

  /** Sends all that was written; then the writer is as new. */
  sendTo(out: PieceSink): void {
    if (this.#pieces.length === 0) out.add(this.#buffer.subarray(this.#at));
    else for (const piece of this.finish()) out.add(piece);
    this.clear();
  }

  /** Forgets what was written. */
  clear(): void {
    // A buffer of that size may belong to the sink now.
    if (this.#buffer.length > COPIED_BYTES) this.#buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
    this.#at = this.#buffer.length;
    if (this.#pieceBytes === 0) return;
    this.#pieces.length = 0;
    this.#pieceBytes = 0;
  }

  /** All that was written, front to back. */
  finish(): Uint8Array[] {
    this.#closeBuffer();
    return this.#pieces.reverse();
  }

  /** An integer between ±2^53; negative ones take ten bytes, as protobuf wants it. */
  varint(value: number): void {
    if (value < 0x80 && value >= 0) {
      this.#reserve(1);
      this.#buffer[this.#at] = value;
      return;
    }
    this.#reserve(varintLength(value));
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
    this.#reserve(8);
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** Large arrays are referenced, not copied: they must not change until the socket has taken them. */
  raw(bytes: Uint8Array): void {
    if (bytes.length > COPIED_BYTES) {
      this.#closeBuffer();
      this.#pieces.push(bytes);
      this.#pieceBytes += bytes.length;
      return;
    }
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#at);
  }

  text(text: string): void {
    const length = Buffer.byteLength(text);
    if (length === text.length) {
      // ASCII.
      this.#reserve(length);
      this.#buffer.write(text, this.#at, length, 'latin1');
    } else this.raw(encodeLossless(text));
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
    this.#reserve(4);
    this.#buffer.writeUInt32LE(size, this.#at);
  }

  /** Makes room for so many bytes, to be written from `#at` on. */
  #reserve(bytes: number): void {
    if (bytes > this.#at) {
      const used = this.#buffer.length - this.#at;
      const bigger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, used + bytes + FIRST_BUFFER_BYTES));
      this.#buffer.copy(bigger, bigger.length - used, this.#at);
      this.#at = bigger.length - used;
      this.#buffer = bigger;
    }
    this.#at -= bytes;
  }

  /** Makes a piece of the bytes in the buffer. */
  #closeBuffer(): void {
    if (this.#at === this.#buffer.length) return;
    const piece = this.#buffer.subarray(this.#at);
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    this.#buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
    this.#at = FIRST_BUFFER_BYTES;
  }
}

function varintLength(value: number): number {
  if (value < 0) return 10;
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) length++;
  return length;
}

/**
 * Writes a google.protobuf.Value. Bytes are written as a string of exactly these bytes, as Lua sees strings.
 *
 * @throws TypeError for what has no form in Kong: functions, symbols, bigints, nesting deeper than 64.
 */
export function writeValue(writer: WireWriter, value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH) throw new TypeError('a value for Kong is nested too deep (or contains itself)');
  if (typeof value === 'string') writer.textField(STRING_VALUE, value);
  else if (typeof value === 'number') {
    writer.double(value);
    writer.varint(NUMBER_VALUE);
  } else if (typeof value === 'boolean') {
    writer.varint(value ? 1 : 0);
    writer.varint(BOOL_VALUE);
  } else if (value === null || value === undefined) {
    writer.varint(0);
    writer.varint(NULL_VALUE);
  } else if (typeof value !== 'object') throw new TypeError(`a ${typeof value} cannot be sent to Kong`);
  else if (value instanceof Uint8Array) writer.bytesField(STRING_VALUE, value);
  else {
    const before = writer.length;
    if (Array.isArray(value)) writeList(writer, value, depth + 1);
    else writeStruct(writer, value, depth + 1);
    writer.close(Array.isArray(value) ? LIST_VALUE : STRUCT_VALUE, before);
  }
}

/** Writes the entries of a Struct. An entry whose value is undefined is left out. */
export function writeStruct(writer: WireWriter, struct: object, depth = 0): void {
  for (const key of Object.keys(struct).reverse()) {
    const value = (struct as Readonly<Record<string, unknown>>)[key];
    if (value === undefined) continue;
    const before = writer.length;
    writeValue(writer, value, depth + 1);
    writer.close(ENTRY_VALUE, before);
    writer.textField(ENTRY_KEY, key);
    writer.close(ENTRY, before);
  }
}

/** Writes the items of a ListValue. */
export function writeList(writer: WireWriter, list: readonly unknown[], depth = 0): void {
  for (let i = list.length - 1; i >= 0; i--) {
    const before = writer.length;
    writeValue(writer, list[i], depth + 1);
    writer.close(ENTRY, before);
  }
}
