import { DELIMITED, FIXED64, VARINT, WireError, type WireReader } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

/** What a google.protobuf.Value can hold. Bytes are written as a string of exactly these bytes, as Lua sees strings. */
export type PdkValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly PdkValue[]
  | { readonly [key: string]: PdkValue };

// google/protobuf/struct.proto
const NULL_TAG = (1 << 3) | VARINT;
const NUMBER_TAG = (2 << 3) | FIXED64;
const STRING_TAG = (3 << 3) | DELIMITED;
const BOOL_TAG = (4 << 3) | VARINT;
const STRUCT_TAG = (5 << 3) | DELIMITED;
const LIST_TAG = (6 << 3) | DELIMITED;
const ENTRY_TAG = (1 << 3) | DELIMITED;
const KEY_TAG = (1 << 3) | DELIMITED;
const VALUE_TAG = (2 << 3) | DELIMITED;

/** Kong's Lua tables nest no deeper in any real use; the limit keeps hostile frames off the stack. */
const MAX_DEPTH = 64;

/** @returns undefined when no kind is set, null for a null. */
export function readValue(reader: WireReader, depth = 0): PdkValue {
  if (depth > MAX_DEPTH) throw new WireError('values nested too deep');
  let value: PdkValue;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === STRING_TAG) value = reader.text();
    else if (tag === NUMBER_TAG) value = reader.double();
    else if (tag === BOOL_TAG) value = reader.varint() !== 0;
    else if (tag === STRUCT_TAG) value = reader.message(readStruct, depth + 1);
    else if (tag === LIST_TAG) value = reader.message(readList, depth + 1);
    else if (tag === NULL_TAG) {
      // Kong writes 1 here for what it does not have.
      reader.varint();
      value = null;
    } else reader.skip(tag);
  }
  return value;
}

export function readStruct(reader: WireReader, depth = 0): Record<string, PdkValue> {
  const struct: Record<string, PdkValue> = {};
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== ENTRY_TAG) {
      reader.skip(tag);
      continue;
    }
    let key = '';
    let value: PdkValue;
    const outer = reader.enter();
    for (let part = reader.tag(); part !== 0; part = reader.tag()) {
      if (part === KEY_TAG) key = reader.text();
      else if (part === VALUE_TAG) value = reader.message(readValue, depth + 1);
      else reader.skip(part);
    }
    reader.leave(outer);
    // A header may be called __proto__; an assignment would set the prototype.
    if (key === '__proto__') {
      Object.defineProperty(struct, key, { value, enumerable: true, configurable: true, writable: true });
    } else struct[key] = value;
  }
  return struct;
}

function readList(reader: WireReader, depth = 0): PdkValue[] {
  const list: PdkValue[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ENTRY_TAG) list.push(reader.message(readValue, depth + 1));
    else reader.skip(tag);
  }
  return list;
}

/**
 * Writes a Value; back to front, like everything in WireWriter.
 *
 * @throws TypeError for what has no form in Kong: functions, symbols, bigints, nesting deeper than 64.
 */
export function writeValue(writer: WireWriter, value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH) throw new TypeError('a value for Kong is nested too deep (or contains itself)');
  if (typeof value === 'string') writer.textField(STRING_TAG, value);
  else if (typeof value === 'number') {
    writer.double(value);
    writer.varint(NUMBER_TAG);
  } else if (typeof value === 'boolean') {
    writer.varint(value ? 1 : 0);
    writer.varint(BOOL_TAG);
  } else if (value === null || value === undefined) {
    writer.varint(0);
    writer.varint(NULL_TAG);
  } else if (typeof value !== 'object') throw new TypeError(`a ${typeof value} cannot be sent to Kong`);
  else if (value instanceof Uint8Array) writer.bytesField(STRING_TAG, value);
  else {
    const before = writer.length;
    if (Array.isArray(value)) {
      writeList(writer, value, depth + 1);
      writer.close(LIST_TAG, before);
    } else {
      writeStruct(writer, value, depth + 1);
      writer.close(STRUCT_TAG, before);
    }
  }
}

/** Writes the entries of a Struct. An entry whose value is undefined is left out. */
export function writeStruct(writer: WireWriter, struct: object, depth = 0): void {
  const keys = Object.keys(struct);
  for (let i = keys.length - 1; i >= 0; i--) {
    // The index is below the length.
    const key = keys[i] as string;
    const value = (struct as Readonly<Record<string, unknown>>)[key];
    if (value === undefined) continue;
    const before = writer.length;
    writeValue(writer, value, depth + 1);
    writer.close(VALUE_TAG, before);
    writer.textField(KEY_TAG, key);
    writer.close(ENTRY_TAG, before);
  }
}

/** Writes the items of a ListValue. */
export function writeList(writer: WireWriter, list: readonly unknown[], depth = 0): void {
  for (let i = list.length - 1; i >= 0; i--) {
    const before = writer.length;
    writeValue(writer, list[i], depth + 1);
    writer.close(ENTRY_TAG, before);
  }
}
