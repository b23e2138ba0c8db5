import { type PdkValue, readStruct, readValue, writeList, writeStruct, writeValue } from './values.js';
import { DELIMITED, FIXED64, VARINT, WireError, type WireReader } from './wire-reader.js';
import { type PieceSink, WireWriter } from './wire-writer.js';

const FIRST_VARINT = (1 << 3) | VARINT;
const FIRST_FIXED64 = (1 << 3) | FIXED64;
const FIRST_DELIMITED = (1 << 3) | DELIMITED;
const SECOND_VARINT = (2 << 3) | VARINT;
const SECOND_DELIMITED = (2 << 3) | DELIMITED;
const THIRD_DELIMITED = (3 << 3) | DELIMITED;

/** What Kong asks a plugin server to do. Kong knows more commands, and sends none of them. */
type Command = 'start_instance' | 'close_instance' | 'handle_event';

/** By the field of RpcCall. */
function commandOf(tag: number): Command | undefined {
  switch (tag) {
    case (33 << 3) | DELIMITED:
      return 'start_instance';
    case (35 << 3) | DELIMITED:
      return 'close_instance';
    case (36 << 3) | DELIMITED:
      return 'handle_event';
    default:
      return undefined;
  }
}

export interface RpcCall {
  /** Comes back in the answer. */
  sequence: number;
  command: Command;
  /** Of the commands about an instance. */
  instanceId: number;
  /** The plugin's, where the command names one. */
  name: string;
  /** The configuration of an instance that starts, or the phase of an event. */
  text: string;
}

/** @throws WireError for anything that is not a call of this protocol. */
export function readRpcCall(frame: WireReader): RpcCall {
  const call: RpcCall = { sequence: 0, command: 'handle_event', instanceId: 0, name: '', text: '' };
  let isKnown = false;
  for (let tag = frame.tag(); tag !== 0; tag = frame.tag()) {
    const command = commandOf(tag);
    if (tag === FIRST_VARINT) call.sequence = frame.varint();
    else if (command === undefined) frame.skip(tag);
    else {
      isKnown = true;
      call.command = command;
      readCommand(frame, call);
    }
  }
  if (!isKnown) throw new WireError('a call without a command that Kong sends');
  return call;
}

/** The command messages have a number or a string as field 1 and a string as field 2. */
function readCommand(frame: WireReader, call: RpcCall): void {
  call.instanceId = 0;
  call.name = '';
  call.text = '';
  const outer = frame.enter();
  for (let tag = frame.tag(); tag !== 0; tag = frame.tag()) {
    if (tag === FIRST_VARINT) call.instanceId = frame.varint();
    else if (tag === FIRST_DELIMITED) call.name = frame.text();
    else if (tag === SECOND_DELIMITED) call.text = frame.text();
    else frame.skip(tag);
  }
  frame.leave(outer);
}

const answers = new WireWriter();

/** What ends an event: an empty frame, and one with RpcReturn{sequence}. */
export function sendEventEnd(sequence: number, out: PieceSink): void {
  answers.varint(sequence);
  answers.varint(FIRST_VARINT);
  answers.closeFrame(0);
  answers.closeFrame(answers.length);
  answers.sendTo(out);
}

export interface InstanceStatus {
  readonly name: string;
  readonly id: number;
  /** Seconds since 1970. */
  readonly startedAt: number;
}

/** Without the configuration: it may hold secrets, and Kong does not need it. */
export function sendInstanceStatus(sequence: number, status: InstanceStatus, out: PieceSink): void {
  answers.varint(status.startedAt);
  answers.varint((4 << 3) | VARINT);
  answers.varint(status.id);
  answers.varint(SECOND_VARINT);
  answers.textField(FIRST_DELIMITED, status.name);
  answers.close((33 << 3) | DELIMITED, 0);
  answers.varint(sequence);
  answers.varint(FIRST_VARINT);
  answers.closeFrame(0);
  answers.sendTo(out);
}

/**
 * Writes the arguments that a plugin gave to a PDK call as the message that Kong wants.
 *
 * @throws TypeError when they do not fit; nothing is sent then.
 */
export type ArgumentWriter = (writer: WireWriter, args: readonly unknown[]) => void;

/** Kong's own default for get_headers; over this protocol an absent number would be 0, which is an error. */
const DEFAULT_MAXIMUM = 100;

export const noArguments: ArgumentWriter = () => {};

export const textArgument: ArgumentWriter = (writer, [text]) => {
  if (typeof text !== 'string') throw unexpected('a string', text);
  if (text !== '') writer.textField(FIRST_DELIMITED, text);
};

export const integerArgument: ArgumentWriter = (writer, [value]) => writeInteger(writer, value);

export const maximumArgument: ArgumentWriter = (writer, [value = DEFAULT_MAXIMUM]) =>
  writeInteger(writer, value);

export const keyValueArguments: ArgumentWriter = (writer, [key, value]) => {
  if (typeof key !== 'string') throw unexpected('a name', key);
  const before = writer.length;
  writeValue(writer, value);
  writer.close(SECOND_DELIMITED, before);
  writer.textField(FIRST_DELIMITED, key);
};

export const structArgument: ArgumentWriter = (writer, [struct]) => writeStruct(writer, objectOf(struct));

export const listArguments: ArgumentWriter = (writer, args) => writeList(writer, args);

export const bytesArgument: ArgumentWriter = (writer, [bytes]) => writeBytes(writer, FIRST_DELIMITED, bytes);

/** kong.response.exit(status, body?, headers?) */
export const exitArguments: ArgumentWriter = (writer, [status, body, headers]) => {
  if (headers !== undefined && headers !== null) {
    writeStruct(writer, objectOf(headers));
    writer.close(THIRD_DELIMITED, 0);
  }
  if (body !== undefined && body !== null) writeBytes(writer, SECOND_DELIMITED, body);
  writeInteger(writer, status);
};

function writeInteger(writer: WireWriter, value: unknown): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > 0x7fffffff)
    throw unexpected('an integer', value);
  writer.varint(value);
  writer.varint(FIRST_VARINT);
}

function writeBytes(writer: WireWriter, tag: number, bytes: unknown): void {
  if (bytes instanceof Uint8Array) writer.bytesField(tag, bytes);
  else if (typeof bytes === 'string') writer.textField(tag, bytes);
  else throw unexpected('bytes or a string', bytes);
}

function objectOf(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw unexpected('an object', value);
}

function unexpected(wanted: string, value: unknown): TypeError {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
  return new TypeError(`${wanted} was expected, not ${kind}`);
}

/**
 * Turns Kong's reply into what the plugin gets.
 *
 * @throws WireError when the bytes are no such message.
 */
export type ReplyReader = (reply: WireReader) => unknown;

export const nothing: ReplyReader = () => undefined;

/** The value of a message whose only field has this tag; `absent` when it is not there. */
function only<T>(wanted: number, read: (reply: WireReader) => T, absent: T): (reply: WireReader) => T {
  return (reply) => {
    let value = absent;
    for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
      if (tag === wanted) value = read(reply);
      else reply.skip(tag);
    }
    return value;
  };
}

/** nil, an empty string and a missing value look the same on the wire: all of them are undefined here. */
export const text: ReplyReader = only(FIRST_DELIMITED, (reply) => reply.text() || undefined, undefined);
/** An absent number is 0. */
export const integer: ReplyReader = only(FIRST_VARINT, (reply) => reply.varint(), 0);
export const number: ReplyReader = only(FIRST_FIXED64, (reply) => reply.double(), 0);
/** Absent is empty. */
export const bytes: ReplyReader = only<Uint8Array>(
  FIRST_DELIMITED,
  (reply) => reply.bytes(),
  new Uint8Array(0),
);
/** Strings where a name occurs once, lists of strings where it occurs more often. */
export const struct = (reply: WireReader): Record<string, PdkValue> => readStruct(reply.readAhead());
/** null for what Kong does not have. */
export const value: ReplyReader = (reply) => readValue(reply);

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
