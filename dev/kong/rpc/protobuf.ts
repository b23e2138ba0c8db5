import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { isTable, type PdkTable, type PdkValue } from '../pdk/lua-values.js';

/** Messages of Kong's plugin protocol field by field, as Kong's Lua library reads and writes them. */

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
  const reader = new BinaryReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag();
      fields.push({ number, value: readValue(reader, type) });
    }
  } catch (error) {
    throw new BadMessage(String(error));
  }
  return fields;
}

function readValue(reader: BinaryReader, type: WireType): WireValue {
  if (type === WireType.Varint) return BigInt(reader.uint64());
  if (type === WireType.Bit64) return reader.double();
  if (type === WireType.LengthDelimited) return Buffer.from(reader.bytes());
  if (type === WireType.Bit32) return reader.fixed32();
  throw new BadMessage(`wire type ${type}`);
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
  return field(number, WireType.Varint, (writer) => writer.uint64(BigInt.asUintN(64, BigInt(value))));
}

export function bytesField(number: number, value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  return field(number, WireType.LengthDelimited, (writer) => writer.bytes(bytes));
}

export function doubleField(number: number, value: number): Buffer {
  return field(number, WireType.Bit64, (writer) => writer.double(value));
}

function field(number: number, type: WireType, write: (writer: BinaryWriter) => BinaryWriter): Buffer {
  return Buffer.from(write(new BinaryWriter().tag(number, type)).finish());
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
