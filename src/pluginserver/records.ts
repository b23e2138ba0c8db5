import { DELIMITED, VARINT, type WireReader } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

/** Kinds of fields that Kong's record messages have. A nested record is given by its own description. */
export type FieldKind = 'text' | 'texts' | 'textMap' | 'integer' | 'bool' | RecordType;

/** A message as a list of [field number, key, kind]; keys are Kong's (snake case). */
export interface RecordType {
  readonly fields: readonly (readonly [number, string, FieldKind])[];
}

export type RecordValue = Record<string, unknown>;

/** Reads a record. A field that is absent is absent in the result too. */
export function readRecord(type: RecordType, reader: WireReader): RecordValue {
  const record: RecordValue = {};
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const field = type.fields.find(([number, , kind]) => tagOf(number, kind) === tag);
    if (field === undefined) {
      reader.skip(tag);
      continue;
    }
    const [, key, kind] = field;
    if (kind === 'text') record[key] = reader.text();
    else if (kind === 'integer') record[key] = reader.varint();
    else if (kind === 'bool') record[key] = reader.varint() !== 0;
    else if (kind === 'texts') append(record, key, reader.text());
    else if (kind === 'textMap') addMapEntry(record, key, reader.message());
    else record[key] = readRecord(kind, reader.message());
  }
  return record;
}

/**
 * Writes a record back to front. Absent, undefined and null fields are left out.
 *
 * @throws TypeError when a field is not of its kind.
 */
export function writeRecord(type: RecordType, writer: WireWriter, record: unknown): void {
  if (typeof record !== 'object' || record === null) throw new TypeError('an object was expected');
  const values = record as RecordValue;
  for (const [number, key, kind] of [...type.fields].reverse()) {
    const value = values[key];
    if (value === undefined || value === null) continue;
    const tag = tagOf(number, kind);
    if (kind === 'text' && typeof value === 'string') writer.textField(tag, value);
    else if (kind === 'integer' && Number.isSafeInteger(value)) writeNumber(writer, tag, Number(value));
    else if (kind === 'bool' && typeof value === 'boolean') writeNumber(writer, tag, value ? 1 : 0);
    else if (kind === 'texts' && Array.isArray(value)) {
      for (const item of [...value].reverse()) writer.textField(tag, String(item));
    } else if (typeof kind === 'object') {
      const before = writer.length;
      writeRecord(kind, writer, value);
      writer.close(tag, before);
    } else throw new TypeError(`${key}: a value of kind ${String(kind)} was expected`);
  }
}

function writeNumber(writer: WireWriter, tag: number, value: number): void {
  writer.varint(value);
  writer.varint(tag);
}

function tagOf(number: number, kind: FieldKind): number {
  if (kind === 'integer' || kind === 'bool') return number * 8 + VARINT;
  return number * 8 + DELIMITED;
}

function append(record: RecordValue, key: string, item: unknown): void {
  const list = record[key];
  if (Array.isArray(list)) list.push(item);
  else record[key] = [item];
}

const MAP_ENTRY: RecordType = {
  fields: [
    [1, 'key', 'text'],
    [2, 'value', 'text'],
  ],
};

function addMapEntry(record: RecordValue, key: string, reader: WireReader): void {
  const { key: name = '', value = '' } = readRecord(MAP_ENTRY, reader);
  const known = record[key];
  record[key] = { ...(typeof known === 'object' ? known : {}), [String(name)]: value };
}
