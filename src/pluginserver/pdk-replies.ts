import { type RecordType, readRecord } from './records.js';
import { type PdkValue, readStruct, readValue } from './values.js';
import { DELIMITED, FIXED64, VARINT, WireReader } from './wire-reader.js';

/**
 * Turns Kong's reply into what the plugin gets.
 *
 * @throws WireError when the bytes are no such message.
 */
export type ReplyReader = (payload: Buffer) => unknown;

const FIRST_VARINT = (1 << 3) | VARINT;
const FIRST_FIXED64 = (1 << 3) | FIXED64;
const FIRST_DELIMITED = (1 << 3) | DELIMITED;
const SECOND_DELIMITED = (2 << 3) | DELIMITED;
const THIRD_DELIMITED = (3 << 3) | DELIMITED;

export const nothing: ReplyReader = () => undefined;

/** nil, an empty string and a missing value look the same on the wire: all of them are undefined here. */
export const text: ReplyReader = (payload) => {
  const value = firstField(payload, FIRST_DELIMITED, (reader) => reader.text());
  return value === '' ? undefined : value;
};

/** An absent number is 0. */
export const integer: ReplyReader = (payload) =>
  firstField(payload, FIRST_VARINT, (reader) => reader.varint()) ?? 0;

export const number: ReplyReader = (payload) =>
  firstField(payload, FIRST_FIXED64, (reader) => reader.double()) ?? 0;

/** Absent is false. */
export const bool: ReplyReader = (payload) =>
  firstField(payload, FIRST_VARINT, (reader) => reader.varint() !== 0) ?? false;

/** Absent is empty. */
export const bytes: ReplyReader = (payload) =>
  firstField(payload, FIRST_DELIMITED, (reader) => reader.bytes()) ?? new Uint8Array(0);

/** Strings where a name occurs once, lists of strings where it occurs more often. */
export const struct: ReplyReader = (payload): Record<string, PdkValue> => readStruct(new WireReader(payload));

/** null for what Kong does not have. */
export const value: ReplyReader = (payload): PdkValue => readValue(new WireReader(payload));

export function record(type: RecordType): ReplyReader {
  return (payload) => (payload.length === 0 ? undefined : readRecord(type, new WireReader(payload)));
}

/** A request body, or the file in which nginx put it. */
export type RawBody =
  | { readonly content: Uint8Array }
  | { readonly file: string }
  | { readonly error: string };

export const rawBody = (payload: Buffer): RawBody => {
  const reader = new WireReader(payload);
  let body: RawBody = { content: new Uint8Array(0) };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIRST_DELIMITED) body = { content: reader.bytes() };
    else if (tag === SECOND_DELIMITED) body = { file: reader.text() };
    else if (tag === THIRD_DELIMITED) body = { error: reader.text() };
    else reader.skip(tag);
  }
  return body;
};

function firstField<T>(payload: Buffer, wanted: number, read: (reader: WireReader) => T): T | undefined {
  if (payload.length === 0) return undefined;
  const reader = new WireReader(payload);
  let result: T | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === wanted) result = read(reader);
    else reader.skip(tag);
  }
  return result;
}
