import { isAscii } from 'node:buffer';
import { decodeLossless } from '../http/text.js';

/** Wire types of Protocol Buffers; groups (3, 4) do not occur in proto3. */
export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
const FIXED32 = 5;

/** google/protobuf/struct.proto: the kinds of a Value, and the parts of a Struct and a ListValue. */
export const NULL_VALUE = (1 << 3) | VARINT;
export const NUMBER_VALUE = (2 << 3) | FIXED64;
export const STRING_VALUE = (3 << 3) | DELIMITED;
export const BOOL_VALUE = (4 << 3) | VARINT;
export const STRUCT_VALUE = (5 << 3) | DELIMITED;
export const LIST_VALUE = (6 << 3) | DELIMITED;
export const ENTRY = (1 << 3) | DELIMITED;
export const ENTRY_KEY = (1 << 3) | DELIMITED;
export const ENTRY_VALUE = (2 << 3) | DELIMITED;

/** Kong's Lua tables nest no deeper in any real use; the limit keeps hostile frames off the stack. */
export const MAX_DEPTH = 64;

/** Bytes that are no message of this protocol. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Up to here {@link WireReader.readAhead} pays: a text that is cut out of a frame keeps the whole of it in memory. */
const AHEAD_BYTES = 16 * 1024;
const NO_BYTES: Buffer = Buffer.alloc(0);

const MAX_NAMES = 512;
const MAX_NAME_BYTES = 64;
/** The last names that were read, each in the slot of its first, middle and last byte and its length. */
const names: (string | undefined)[] = new Array(MAX_NAMES).fill(undefined);

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
    // Multiplied, since 32 bits are too few for a shift and `**` is a call.
    let unit = 1;
    for (let read = 0; read < 10; read++) {
      if (this.#at >= this.#end) throw new WireError('number cut off');
      const byte = this.#bytes[this.#at++] ?? 0;
      if (read < 4) low += (byte & 0x7f) * unit;
      else high += (byte & 0x7f) * unit;
      if (byte < 0x80) return joinVarint(low, high);
      unit = read === 3 ? 1 : unit * 128;
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

  /** A text that many messages have, such as the name of a header: mostly a string that was made before. */
  name(): string {
    const length = this.#length();
    const at = this.#take(length);
    const bytes = this.#bytes;
    const middle = bytes[at + (length >> 1)] ?? 0;
    const slot =
      (31 * length + 7 * (bytes[at] ?? 0) + 3 * middle + (bytes[at + length - 1] ?? 0)) % MAX_NAMES;
    const known = names[slot];
    if (known !== undefined && isSameText(known, bytes, at, length)) return known;
    const name = textFromBytes(bytes, at, at + length);
    if (length <= MAX_NAME_BYTES) names[slot] = name;
    return name;
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

/**
 * The value of a google.protobuf.Value: a string, number, boolean, list or object.
 *
 * @returns undefined when no kind is set, null for a null.
 */
export function readValue(reader: WireReader, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw new WireError('values nested too deep');
  let value: unknown;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === STRING_VALUE) value = reader.text();
    else if (tag === NUMBER_VALUE) value = reader.double();
    else if (tag === BOOL_VALUE) value = reader.varint() !== 0;
    else if (tag === STRUCT_VALUE || tag === LIST_VALUE) {
      const outer = reader.enter();
      value = tag === LIST_VALUE ? readList(reader, depth + 1) : readStruct(reader, depth + 1);
      reader.leave(outer);
    } else if (tag === NULL_VALUE) {
      // Kong writes 1 here for what it does not have.
      reader.varint();
      value = null;
    } else reader.skip(tag);
  }
  return value;
}

/** The entries of a google.protobuf.Struct. */
export function readStruct(reader: WireReader, depth = 0): Record<string, unknown> {
  const struct: Record<string, unknown> = {};
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== ENTRY) {
      reader.skip(tag);
      continue;
    }
    let key = '';
    let value: unknown;
    const end = reader.enter();
    for (let part = reader.tag(); part !== 0; part = reader.tag()) {
      if (part === ENTRY_KEY) key = reader.name();
      else if (part === ENTRY_VALUE) {
        const outer = reader.enter();
        value = readValue(reader, depth + 1);
        reader.leave(outer);
      } else reader.skip(part);
    }
    reader.leave(end);
    // A header may be called __proto__; an assignment would set the prototype.
    if (key === '__proto__') {
      Object.defineProperty(struct, key, { value, enumerable: true, configurable: true, writable: true });
    } else struct[key] = value;
  }
  return struct;
}

function readList(reader: WireReader, depth: number): unknown[] {
  const list: unknown[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== ENTRY) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    list.push(readValue(reader, depth + 1));
    reader.leave(outer);
  }
  return list;
}

/** Whether these bytes are that text. A text with a unit that is no single byte of UTF-8 differs in its length or that unit. */
function isSameText(text: string, bytes: Buffer, at: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[at + i]) return false;
  return true;
}

/** From here on the engine's own test for ASCII is the faster one. */
const LONG_TEXT_BYTES = 256;

/** Whether all of these bytes are below 0x80: most text is, and reading it as Latin-1 is many times faster. */
function isAsciiText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= LONG_TEXT_BYTES) return isAscii(bytes.subarray(start, end));
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0) >= 0x80) return false;
  return true;
}

/**
 * Kong's strings are bytes, JavaScript's are UTF-16. A byte that is not part of valid UTF-8 is held as a lone surrogate, so
 * every byte string becomes text and bytes again unchanged.
 */
export function textFromBytes(bytes: Buffer, start = 0, end = bytes.length): string {
  if (isAsciiText(bytes, start, end)) return bytes.toString('latin1', start, end);
  return decodeLossless(bytes.subarray(start, end));
}
