import {
  type PdkValue,
  type RecordType,
  readRecord,
  readStruct,
  readValue,
  recordType,
  writeList,
  writeRecord,
  writeStruct,
  writeValue,
} from './values.js';
import { DELIMITED, FIXED64, VARINT, type WireReader } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

/**
 * Writes the arguments that a plugin gave to a PDK call as the message that Kong wants.
 *
 * @throws TypeError when they do not fit; nothing is sent then.
 */
export type ArgumentWriter = (writer: WireWriter, args: readonly unknown[]) => void;

const FIRST_VARINT = (1 << 3) | VARINT;
const FIRST_FIXED64 = (1 << 3) | FIXED64;
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
    type.fields.forEach(({ key }, index) => {
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

/**
 * Turns Kong's reply into what the plugin gets.
 *
 * @throws WireError when the bytes are no such message.
 */
export type ReplyReader = (reply: WireReader) => unknown;

export const nothing: ReplyReader = () => undefined;

/** nil, an empty string and a missing value look the same on the wire: all of them are undefined here. */
export const text: ReplyReader = (reply) => {
  let value = '';
  for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
    if (tag === FIRST_DELIMITED) value = reply.text();
    else reply.skip(tag);
  }
  return value === '' ? undefined : value;
};

/** An absent number is 0. */
export const integer = (reply: WireReader): number => {
  let value = 0;
  for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
    if (tag === FIRST_VARINT) value = reply.varint();
    else reply.skip(tag);
  }
  return value;
};

export const number: ReplyReader = (reply) => {
  let value = 0;
  for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
    if (tag === FIRST_FIXED64) value = reply.double();
    else reply.skip(tag);
  }
  return value;
};

/** Absent is false. */
export const bool: ReplyReader = (reply) => integer(reply) !== 0;

/** Absent is empty. */
export const bytes: ReplyReader = (reply) => {
  let value: Uint8Array = new Uint8Array(0);
  for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
    if (tag === FIRST_DELIMITED) value = reply.bytes();
    else reply.skip(tag);
  }
  return value;
};

/** Strings where a name occurs once, lists of strings where it occurs more often. */
export const struct = (reply: WireReader): Record<string, PdkValue> => readStruct(reply.readAhead());

/** null for what Kong does not have. */
export const value: ReplyReader = (reply) => readValue(reply);

export function record(type: RecordType): ReplyReader {
  return (reply) => (reply.left === 0 ? undefined : readRecord(type, reply));
}

/** A request body, or the file in which nginx put it. */
export type RawBody =
  | { readonly content: Uint8Array }
  | { readonly file: string }
  | { readonly error: string };

export const rawBody = (reply: WireReader): RawBody => {
  let body: RawBody = { content: new Uint8Array(0) };
  for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
    if (tag === FIRST_DELIMITED) body = { content: reply.bytes() };
    else if (tag === SECOND_DELIMITED) body = { file: reply.text() };
    else if (tag === THIRD_DELIMITED) body = { error: reply.text() };
    else reply.skip(tag);
  }
  return body;
};

/** Messages of Kong's PDK that are more than one value. Fields in the order of kong.proto, where they are numbered from 1. */
const KEY = recordType('id');
export const CREDENTIAL = recordType('id consumer_id');
export const CONSUMER = recordType('id created_at:integer username custom_id tags:texts');
export const CONSUMER_SPEC = recordType('id by_username:bool');
export const AUTHENTICATE_ARGS = recordType('consumer credential', {
  consumer: CONSUMER,
  credential: CREDENTIAL,
});
export const TARGET = recordType('host port:integer');
export const URI_CAPTURES = recordType('unnamed:texts named:textMap');
export const SERVICE = recordType(
  `id created_at:integer updated_at:integer name retries:integer protocol host port:integer path
  connect_timeout:integer write_timeout:integer read_timeout:integer tags:texts client_certificate`,
  { client_certificate: KEY },
);
export const ROUTE = recordType(
  `id created_at:integer updated_at:integer name protocols:texts methods:texts hosts:texts paths:texts headers:texts
  https_redirect_status_code:integer regex_priority:integer strip_path:bool preserve_host:bool snis:texts sources:texts
  destinations:texts tags:texts service`,
  { service: KEY },
);
