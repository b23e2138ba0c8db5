import { type RecordType, writeRecord } from './records.js';
import { writeList, writeStruct, writeValue } from './values.js';
import { DELIMITED, VARINT } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

/**
 * Writes the arguments that a plugin gave to a PDK call as the message that Kong wants.
 *
 * @throws TypeError when they do not fit; nothing is sent then.
 */
export type ArgumentWriter = (writer: WireWriter, args: readonly unknown[]) => void;

const FIRST_VARINT = (1 << 3) | VARINT;
const FIRST_DELIMITED = (1 << 3) | DELIMITED;
const SECOND_DELIMITED = (2 << 3) | DELIMITED;
const THIRD_DELIMITED = (3 << 3) | DELIMITED;

/** Kong's own default for get_headers and get_query; over this protocol an absent number would be 0, which is an error. */
const DEFAULT_MAXIMUM = 100;

export const noArguments: ArgumentWriter = () => {};

export const textArgument: ArgumentWriter = (writer, [text]) => {
  if (typeof text !== 'string') throw new TypeError(`a string was expected, not ${kindOf(text)}`);
  if (text !== '') writer.textField(FIRST_DELIMITED, text);
};

export const integerArgument: ArgumentWriter = (writer, [value]) => writeInteger(writer, value);

export const maximumArgument: ArgumentWriter = (writer, [value = DEFAULT_MAXIMUM]) =>
  writeInteger(writer, value);

export const boolArgument: ArgumentWriter = (writer, [value]) => {
  if (value !== true) return;
  writer.varint(1);
  writer.varint(FIRST_VARINT);
};

export const keyValueArguments: ArgumentWriter = (writer, [key, value]) => {
  if (typeof key !== 'string') throw new TypeError(`a name was expected, not ${kindOf(key)}`);
  const before = writer.length;
  writeValue(writer, value);
  writer.close(SECOND_DELIMITED, before);
  writer.textField(FIRST_DELIMITED, key);
};

export const structArgument: ArgumentWriter = (writer, [struct]) => writeStruct(writer, objectOf(struct));

export const listArguments: ArgumentWriter = (writer, args) => writeList(writer, args);

export const bytesArgument: ArgumentWriter = (writer, [bytes]) => {
  writeBytes(writer, FIRST_DELIMITED, bytes);
};

/** kong.response.exit(status, body?, headers?) */
export const exitArguments: ArgumentWriter = (writer, [status, body, headers]) => {
  if (headers !== undefined && headers !== null) {
    const before = writer.length;
    writeStruct(writer, objectOf(headers));
    writer.close(THIRD_DELIMITED, before);
  }
  if (body !== undefined && body !== null) writeBytes(writer, SECOND_DELIMITED, body);
  writeInteger(writer, status);
};

/** Positional arguments become the fields of a record, in their order. */
export function recordArguments(type: RecordType): ArgumentWriter {
  return (writer, args) => {
    const record: Record<string, unknown> = {};
    type.fields.forEach(([, key], index) => {
      record[key] = args[index];
    });
    writeRecord(type, writer, record);
  };
}

function writeInteger(writer: WireWriter, value: unknown): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > 0x7fffffff) {
    throw new TypeError(`an integer was expected, not ${kindOf(value)}`);
  }
  writer.varint(value);
  writer.varint(FIRST_VARINT);
}

function writeBytes(writer: WireWriter, tag: number, bytes: unknown): void {
  if (bytes instanceof Uint8Array) writer.bytesField(tag, bytes);
  else if (typeof bytes === 'string') writer.textField(tag, bytes);
  else throw new TypeError(`bytes or a string were expected, not ${kindOf(bytes)}`);
}

function objectOf(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new TypeError(`an object was expected, not ${kindOf(value)}`);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
}
