import { isTable, type PdkTable, type PdkValue } from '../pdk/pdk-value.js';
import { bytesField, bytesOf, doubleField, lastField, readFields, varintField } from './protobuf.js';

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
