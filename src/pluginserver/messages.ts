import { PdkCallError } from './plugin-module.js';
import {
  DELIMITED,
  FIXED64,
  readStruct,
  readValue,
  VARINT,
  WireError,
  type WireReader,
} from './wire-reader.js';
import { type PieceSink, WireWriter, writeList, writeStruct, writeValue } from './wire-writer.js';

const FIRST_VARINT = (1 << 3) | VARINT;
const FIRST_FIXED64 = (1 << 3) | FIXED64;
const FIRST_DELIMITED = (1 << 3) | DELIMITED;
const SECOND_VARINT = (2 << 3) | VARINT;
const SECOND_DELIMITED = (2 << 3) | DELIMITED;
const THIRD_DELIMITED = (3 << 3) | DELIMITED;

const INSTANCE_STATUS = (33 << 3) | DELIMITED;
/** What Kong asks a plugin server to do, by the field of RpcCall. Kong knows more commands, and sends none of them. */
const COMMANDS = new Map<number, RpcCall['command']>([
  [(33 << 3) | DELIMITED, 'start_instance'],
  [(35 << 3) | DELIMITED, 'close_instance'],
  [(36 << 3) | DELIMITED, 'handle_event'],
]);

export interface RpcCall {
  /** Comes back in the answer. */
  sequence: number;
  command: 'start_instance' | 'close_instance' | 'handle_event';
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
    const command = COMMANDS.get(tag);
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
    else if (tag === SECOND_DELIMITED)
      call.text = call.command === 'handle_event' ? frame.name() : frame.text();
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
  answers.close(INSTANCE_STATUS, 0);
  answers.varint(sequence);
  answers.varint(FIRST_VARINT);
  answers.closeFrame(0);
  answers.sendTo(out);
}

/** A method of Kong's PDK. */
export interface PdkMethod {
  readonly name: string;
  /** The frame with the name, which goes before that with the arguments. */
  readonly nameFrame: Uint8Array;
  /**
   * Writes the plugin's arguments as the message that Kong wants.
   *
   * @throws TypeError when they do not fit.
   */
  readonly writeArguments: (writer: WireWriter, args: readonly unknown[]) => void;
  /**
   * Reads what the plugin gets from Kong's reply; undefined: the call brings nothing back.
   *
   * @throws WireError when the bytes are no such message.
   */
  readonly readReply: ((reply: WireReader) => unknown) | undefined;
  /** Frames of calls that were made before, by their only argument: most plugins ask the same in each event. */
  readonly frames: Map<unknown, Uint8Array>;
}

type ArgumentWriter = PdkMethod['writeArguments'];
type ReplyReader = NonNullable<PdkMethod['readReply']>;

/** Kong's own default for get_headers; over this protocol an absent number would be 0, which is an error. */
const DEFAULT_MAXIMUM = 100;

const noArguments: ArgumentWriter = () => {};

const textArgument: ArgumentWriter = (writer, [text]) => {
  if (typeof text !== 'string') throw unexpected('a string', text);
  if (text !== '') writer.textField(FIRST_DELIMITED, text);
};

const integerArgument: ArgumentWriter = (writer, [value]) => writeInteger(writer, value);

const maximumArgument: ArgumentWriter = (writer, [value = DEFAULT_MAXIMUM]) => writeInteger(writer, value);

const keyValueArguments: ArgumentWriter = (writer, [key, value]) => {
  if (typeof key !== 'string') throw unexpected('a name', key);
  const before = writer.length;
  writeValue(writer, value);
  writer.close(SECOND_DELIMITED, before);
  writer.textField(FIRST_DELIMITED, key);
};

const structArgument: ArgumentWriter = (writer, [struct]) => writeStruct(writer, objectOf(struct));

const listArguments: ArgumentWriter = (writer, args) => writeList(writer, args);

const bytesArgument: ArgumentWriter = (writer, [bytes]) => writeBytes(writer, FIRST_DELIMITED, bytes);

/** kong.response.exit(status, body?, headers?) */
const exitArguments: ArgumentWriter = (writer, [status, body, headers]) => {
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

/** The value of a message whose only field has this tag; `absent` when it is not there. */
function only<T>(wanted: number, read: (reply: WireReader) => T, absent: T): ReplyReader {
  return (reply) => {
    let value = absent;
    for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
      if (tag === wanted) value = read(reply);
      else reply.skip(tag);
    }
    return value;
  };
}

const nothing = undefined;
/** nil, an empty string and a missing value look the same on the wire: all of them are undefined here. */
const text = only(FIRST_DELIMITED, (reply) => reply.text() || undefined, undefined);
/** An absent number is 0. */
const integer = only(FIRST_VARINT, (reply) => reply.varint(), 0);
const number = only(FIRST_FIXED64, (reply) => reply.double(), 0);
/** Absent is empty. */
const bytes = only<Uint8Array>(FIRST_DELIMITED, (reply) => reply.bytes(), new Uint8Array(0));
/** Strings where a name occurs once, lists of strings where it occurs more often. */
const struct: ReplyReader = (reply) => readStruct(reply.readAhead());
/** null for what Kong does not have. */
const value: ReplyReader = (reply) => readValue(reply);

/** A request body, or the file in which nginx put it. */
export interface RawBody {
  readonly content?: Uint8Array;
  readonly file?: string;
  readonly error?: string;
}

const rawBody = (reply: WireReader): RawBody => {
  let body: RawBody = {};
  for (let tag = reply.tag(); tag !== 0; tag = reply.tag()) {
    if (tag === FIRST_DELIMITED) body = { content: reply.bytes() };
    else if (tag === SECOND_DELIMITED) body = { file: reply.text() };
    else if (tag === THIRD_DELIMITED) body = { error: reply.text() };
    else reply.skip(tag);
  }
  return body;
};

// Some of the service `Kong` in pluginsocket.proto of Kong 3.9, by their arguments and their reply. Another method whose
// messages have such a form is one more name.
const METHODS: readonly (readonly [string, ArgumentWriter, PdkMethod['readReply']])[] = [
  ['kong.client: get_ip get_forwarded_ip', noArguments, text],
  ['kong.client: get_port get_forwarded_port', noArguments, integer],
  ['kong.ctx.shared: set', keyValueArguments, nothing],
  ['kong.ctx.shared: get', textArgument, value],
  ['kong.log: alert crit err warn notice info debug', listArguments, nothing],
  ['kong.log: set_serialize_value', keyValueArguments, nothing],
  ['kong.nginx: get_var', textArgument, text],
  ['kong.request: get_method get_scheme get_host get_path get_path_with_query', noArguments, text],
  ['kong.request: get_forwarded_scheme get_forwarded_host get_raw_query', noArguments, text],
  ['kong.request: get_port get_forwarded_port', noArguments, integer],
  ['kong.request: get_http_version', noArguments, number],
  ['kong.request: get_header', textArgument, text],
  ['kong.request: get_headers', maximumArgument, struct],
  ['kong.request: get_raw_body', noArguments, rawBody],
  ['kong.response: get_status', noArguments, integer],
  ['kong.response: get_headers', maximumArgument, struct],
  ['kong.response: set_status', integerArgument, nothing],
  ['kong.response: set_header', keyValueArguments, nothing],
  ['kong.response: clear_header', textArgument, nothing],
  ['kong.response: set_headers', structArgument, nothing],
  ['kong.response: exit', exitArguments, nothing],
  ['kong.service.request: set_path set_raw_query set_method clear_header', textArgument, nothing],
  ['kong.service.request: set_header', keyValueArguments, nothing],
  ['kong.service.request: set_headers', structArgument, nothing],
  ['kong.service.request: set_raw_body', bytesArgument, nothing],
  ['kong.service.response: get_raw_body', noArguments, bytes],
];

/** The methods that are offered to plugins, by name. */
export const pdkMethods: ReadonlyMap<string, PdkMethod> = new Map(
  METHODS.flatMap(([names, writeArguments, readReply]) => {
    const [prefix = '', ...methods] = names.split(/:? /);
    return methods.map((method) => {
      const name = `${prefix}.${method}`;
      answers.text(name);
      answers.closeFrame(0);
      const nameFrame = Buffer.concat(answers.finish());
      answers.clear();
      return [name, { name, nameFrame, writeArguments, readReply, frames: new Map() }] as const;
    });
  }),
);

/** @throws PdkCallError for a method that is not offered to plugins. */
export function pdkMethod(name: string): PdkMethod {
  const method = pdkMethods.get(name);
  if (method === undefined) throw notOffered(name);
  return method;
}

export function notOffered(name: string): PdkCallError {
  return new PdkCallError('ERR_PDK_METHOD', `${name} is not offered to plugins`);
}
