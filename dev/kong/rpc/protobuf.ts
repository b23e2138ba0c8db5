import { isTable, type PdkTable, type PdkValue } from '../pdk/lua-values.js';

/** The few parts of the protocol-buffers wire format that Kong's plugin protocol needs, written for Kong's side only. */

export type WireValue = bigint | number | Buffer;

/** A frame that is not a protocol buffers message. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
}

export interface Field {
  readonly number: number;
  /** Varints as bigint, fixed64 as a double, everything else as bytes. */
  readonly value: WireValue;
}

/** @throws BadMessage */
export function readFields(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new BadMessage('varint is cut');
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
    throw new BadMessage('varint is too long');
  };
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new BadMessage('field is cut');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const number = key >> 3;
    const type = key & 7;
    if (number === 0) throw new BadMessage('field number 0');
    if (type === 0) fields.push({ number, value: varint() });
    else if (type === 1) fields.push({ number, value: take(8).readDoubleLE() });
    else if (type === 2) fields.push({ number, value: take(Number(varint())) });
    else if (type === 5) fields.push({ number, value: take(4).readUInt32LE() });
    else throw new BadMessage(`wire type ${type}`);
  }
  return fields;
}

/** The last field of that number, as proto3 wants it. */
export function lastField(fields: readonly Field[], number: number): WireValue | undefined {
  return fields.findLast((field) => field.number === number)?.value;
}

export function bytesOf(value: WireValue | undefined): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

export function int32Of(value: WireValue | undefined): number {
  return typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : 0;
}

export function int64Of(value: WireValue | undefined): number {
  return typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;
}

export function varintField(number: number, value: number | bigint): Buffer {
  return Buffer.concat([varintBytes(BigInt(number << 3)), varintBytes(BigInt.asUintN(64, BigInt(value)))]);
}

export function bytesField(number: number, value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  return Buffer.concat([varintBytes(BigInt((number << 3) | 2)), varintBytes(BigInt(bytes.length)), bytes]);
}

export function doubleField(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varintBytes(BigInt((number << 3) | 1)), bytes]);
}

function varintBytes(value: bigint): Buffer {
  const out: number[] = [];
  let left = value;
  while (left > 0x7fn) {
    out.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  out.push(Number(left));
  return Buffer.from(out);
}

/** google.protobuf.Value, Struct and ListValue as Kong's Lua library maps them. */

export function encodeValue(value: PdkValue): Buffer {
  // nil and false cannot be told apart; the number 1 (not 0) was seen on the wire.
  if (value === undefined || value === null || value === false) return varintField(1, 1);
  if (typeof value === 'number') return doubleField(2, value);
  if (typeof value === 'string' || Buffer.isBuffer(value)) return bytesField(3, value);
  if (value === true) return varintField(4, 1);
  // A Lua table with something at index 1 is a list; an empty one is a struct.
  if (Array.isArray(value) && value.length > 0) return bytesField(6, encodeList(value));
  return bytesField(5, isTable(value) ? encodeStruct(value) : Buffer.alloc(0));
}

export function encodeStruct(table: PdkTable): Buffer {
  const entries = Object.entries(table).map(([key, value]) =>
    bytesField(1, Buffer.concat([bytesField(1, key), bytesField(2, encodeValue(value))])),
  );
  return Buffer.concat(entries);
}

export function encodeList(values: readonly PdkValue[]): Buffer {
  return Buffer.concat(values.map((value) => bytesField(1, encodeValue(value))));
}

/** @throws BadMessage */
export function decodeValue(bytes: Buffer): PdkValue {
  const field = readFields(bytes).at(-1);
  if (field === undefined) return undefined;
  const { number, value } = field;
  // The library hands the enum's name to Lua.
  if (number === 1) return 'NULL_VALUE';
  if (number === 2 && typeof value === 'number') return value;
  if (number === 3) return bytesOf(value).toString('latin1');
  if (number === 4) return value !== 0n;
  if (number === 5) return decodeStruct(bytesOf(value));
  if (number === 6) return decodeList(bytesOf(value));
  return undefined;
}

/** @throws BadMessage */
export function decodeStruct(bytes: Buffer): PdkTable {
  const table: PdkTable = Object.create(null);
  for (const { number, value } of readFields(bytes)) {
    if (number !== 1) continue;
    const entry = readFields(bytesOf(value));
    table[bytesOf(lastField(entry, 1)).toString('latin1')] = decodeValue(bytesOf(lastField(entry, 2)));
  }
  return table;
}

/** @throws BadMessage */
export function decodeList(bytes: Buffer): PdkValue[] {
  return readFields(bytes)
    .filter((field) => field.number === 1)
    .map((field) => decodeValue(bytesOf(field.value)));
}
