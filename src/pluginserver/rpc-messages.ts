import { DELIMITED, VARINT, WireError, type WireReader } from './wire-reader.js';
import { type PieceSink, WireWriter } from './wire-writer.js';

/** What Kong asks a plugin server to do: fields 31 to 36 of RpcCall. */
const COMMANDS = [
  'get_plugin_names',
  'get_plugin_info',
  'start_instance',
  'get_instance_status',
  'close_instance',
  'handle_event',
] as const;
const FIRST_COMMAND = 31;

export type RpcCommand = (typeof COMMANDS)[number];

export interface RpcCall {
  /** Comes back in the answer. */
  sequence: number;
  command: RpcCommand;
  /** Of the commands about an instance. */
  instanceId: number;
  /** The plugin's, where the command names one. */
  name: string;
  /** The configuration of an instance that starts, or the phase of an event. */
  text: string;
}

export interface PluginInfo {
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  readonly phases: readonly string[];
  /** JSON text. */
  readonly schema: string;
}

export interface InstanceStatus {
  readonly name: string;
  readonly instanceId: number;
  /** Seconds since 1970. */
  readonly startedAt: number;
}

const FIRST_VARINT = (1 << 3) | VARINT;
const FIRST_DELIMITED = (1 << 3) | DELIMITED;
const SECOND_VARINT = (2 << 3) | VARINT;
const SECOND_DELIMITED = (2 << 3) | DELIMITED;

/** @throws WireError for anything that is not a call of this protocol. */
export function readRpcCall(frame: WireReader): RpcCall {
  const call: RpcCall = { sequence: 0, command: 'get_plugin_names', instanceId: 0, name: '', text: '' };
  let command: RpcCommand | undefined;
  for (let tag = frame.tag(); tag !== 0; tag = frame.tag()) {
    const named = (tag & 7) === DELIMITED ? COMMANDS[(tag >>> 3) - FIRST_COMMAND] : undefined;
    if (tag === FIRST_VARINT) call.sequence = frame.varint();
    else if (named === undefined) frame.skip(tag);
    else {
      command = named;
      readCommand(frame, call);
    }
  }
  if (command === undefined) throw new WireError('a call without a command');
  call.command = command;
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

const ends = new WireWriter();

/** What ends an event: an empty frame, and one with RpcReturn{sequence}. */
export function sendEventEnd(sequence: number, out: PieceSink): void {
  ends.varint(sequence);
  ends.varint(FIRST_VARINT);
  ends.closeFrame(0);
  ends.closeFrame(ends.length);
  ends.sendTo(out);
}

export function pluginNamesFrame(sequence: number, names: readonly string[]): Uint8Array {
  return rpcReturn(sequence, (writer) => {
    const before = writer.length;
    for (const name of [...names].reverse()) writer.textField(FIRST_DELIMITED, name);
    writer.close((31 << 3) | DELIMITED, before);
  });
}

export function pluginInfoFrame(sequence: number, info: PluginInfo): Uint8Array {
  return rpcReturn(sequence, (writer) => {
    const before = writer.length;
    writer.textField((7 << 3) | DELIMITED, info.schema);
    writer.varint(info.priority);
    writer.varint((6 << 3) | VARINT);
    writer.textField((5 << 3) | DELIMITED, info.version);
    for (const phase of [...info.phases].reverse()) writer.textField((4 << 3) | DELIMITED, phase);
    writer.textField(FIRST_DELIMITED, info.name);
    writer.close((32 << 3) | DELIMITED, before);
  });
}

/** Without the configuration: it may hold secrets, and Kong does not ask for it. */
export function instanceStatusFrame(sequence: number, status: InstanceStatus): Uint8Array {
  return rpcReturn(sequence, (writer) => {
    const before = writer.length;
    writer.varint(status.startedAt);
    writer.varint((4 << 3) | VARINT);
    writer.varint(status.instanceId);
    writer.varint(SECOND_VARINT);
    writer.textField(FIRST_DELIMITED, status.name);
    writer.close((33 << 3) | DELIMITED, before);
  });
}

function rpcReturn(sequence: number, writeResult: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  writeResult(writer);
  writer.varint(sequence);
  writer.varint(FIRST_VARINT);
  writer.closeFrame(0);
  return Buffer.concat(writer.finish());
}
