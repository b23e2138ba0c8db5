import { isTable, type PdkTable, type PdkValue } from '../pdk/lua-values.js';

/** MessagePack as Kong's Lua library writes and reads it. Strings are bytes; a Buffer travels as `bin`. */

/** Bytes that are no MessagePack message. */
export class BadMsgpack extends Error {
  override readonly name = 'BadMsgpack';
}

/** The message is not there as a whole yet. */
export class MoreBytes extends Error {
  override readonly name = 'MoreBytes';
}

export function encodeMsgpack(value: PdkValue): Buffer {
  if (value === undefined || value === null) return Buffer.of(0xc0);
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'latin1');
    const small = bytes.length < 32 ? Buffer.of(0xa0 | bytes.length) : sized(bytes.length, 0xd9, 0xda, 0xdb);
    return Buffer.concat([small, bytes]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([sized(value.length, 0xc4, 0xc5, 0xc6), value]);
  if (isTable(value)) {
    // Lua cannot tell an empty map from an empty list.
    return Object.keys(value).length === 0 ? Buffer.of(0x90) : encodeMap(value);
  }
  const head =
    value.length < 16 ? Buffer.of(0x90 | value.length) : sized(value.length, undefined, 0xdc, 0xdd);
  return Buffer.concat([head, ...value.map(encodeMsgpack)]);
}

/** A table that is a map even when it is empty. */
export function encodeMap(table: PdkTable): Buffer {
  const entries = Object.entries(table);
  const head =
    entries.length < 16 ? Buffer.of(0x80 | entries.length) : sized(entries.length, undefined, 0xde, 0xdf);
  return Buffer.concat([
    head,
    ...entries.flatMap(([key, value]) => [encodeMsgpack(key), encodeMsgpack(value)]),
  ]);
}

function encodeNumber(value: number): Buffer {
  if (!Number.isInteger(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    const bytes = Buffer.alloc(9, 0xcb);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (value >= 0 && value < 0x80) return Buffer.of(value);
  if (value < 0 && value >= -32) return Buffer.of(value & 0xff);
  if (value >= 0 && value < 0x100000000) return sized(value, 0xcc, 0xcd, 0xce);
  const bytes = Buffer.alloc(9, 0xd3);
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

/** A type byte and an unsigned number in one, two or four bytes. */
function sized(value: number, one: number | undefined, two: number, four: number): Buffer {
  if (one !== undefined && value < 0x100) return Buffer.of(one, value);
  const wide = value >= 0x10000;
  const bytes = Buffer.alloc(wide ? 5 : 3, wide ? four : two);
  if (wide) bytes.writeUInt32BE(value, 1);
  else bytes.writeUInt16BE(value, 1);
  return bytes;
}

/** One message from the start of the bytes. @throws MoreBytes, BadMsgpack */
export function decodeMsgpack(bytes: Buffer): { readonly value: PdkValue; readonly length: number } {
  const decoder = new Decoder(bytes);
  const value = decoder.value();
  return { value, length: decoder.at };
}

class Decoder {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  value(): PdkValue {
    const type = this.#take(1).readUInt8();
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type < 0x90) return this.#map(type & 0x0f);
    if (type < 0xa0) return this.#list(type & 0x0f);
    if (type < 0xc0) return this.#take(type & 0x1f).toString('latin1');
    if (type === 0xc0) return null;
    if (type === 0xc2 || type === 0xc3) return type === 0xc3;
    if (type >= 0xc4 && type <= 0xc6) return Buffer.from(this.#take(this.#unsigned(type - 0xc4)));
    if (type === 0xca) return this.#take(4).readFloatBE();
    if (type === 0xcb) return this.#take(8).readDoubleBE();
    if (type >= 0xcc && type <= 0xcf) return this.#unsigned(type - 0xcc);
    if (type >= 0xd0 && type <= 0xd3) return this.#signed(type - 0xd0);
    if (type >= 0xd9 && type <= 0xdb) return this.#take(this.#unsigned(type - 0xd9)).toString('latin1');
    if (type === 0xdc || type === 0xdd) return this.#list(this.#unsigned(type - 0xdb));
    if (type === 0xde || type === 0xdf) return this.#map(this.#unsigned(type - 0xdd));
    throw new BadMsgpack(`unpack '0x${type.toString(16)}' is unimplemented`);
  }

  #take(count: number): Buffer {
    if (this.at + count > this.bytes.length) throw new MoreBytes('missing bytes');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** A number of 1, 2, 4 or 8 bytes. */
  #unsigned(power: number): number {
    return power === 3
      ? Number(this.#take(8).readBigUInt64BE())
      : this.#take(2 ** power).readUIntBE(0, 2 ** power);
  }

  #signed(power: number): number {
    return power === 3
      ? Number(this.#take(8).readBigInt64BE())
      : this.#take(2 ** power).readIntBE(0, 2 ** power);
  }

  #list(count: number): PdkValue[] {
    const list: PdkValue[] = [];
    for (let i = 0; i < count; i++) list.push(this.value());
    return list;
  }

  #map(count: number): PdkTable {
    const table: PdkTable = Object.create(null);
    for (let i = 0; i < count; i++) table[String(this.value())] = this.value();
    return table;
  }
}
