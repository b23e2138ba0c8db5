import { DELIMITED, VARINT, WireError, WireReader, WireWriter } from './wire.js';

/** What Kong asks a plugin server to do. */
export type RpcCommand =
  | { readonly kind: 'get_plugin_names' }
  | { readonly kind: 'get_plugin_info'; readonly name: string }
  | { readonly kind: 'start_instance'; readonly name: string; readonly config: string }
  | { readonly kind: 'get_instance_status'; readonly instanceId: number }
  | { readonly kind: 'close_instance'; readonly instanceId: number }
  | { readonly kind: 'handle_event'; readonly instanceId: number; readonly phase: string };

export interface RpcCall {
  /** Comes back in the answer. */
  readonly sequence: number;
  readonly command: RpcCommand;
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

/** Fields 31 to 36 of RpcCall, by their tags. */
const COMMANDS = new Map<number, (reader: WireReader) => RpcCommand>([
  [(31 << 3) | DELIMITED, () => ({ kind: 'get_plugin_names' })],
  [(32 << 3) | DELIMITED, (r) => ({ kind: 'get_plugin_info', name: fields(r).first })],
  [
    (33 << 3) | DELIMITED,
    (reader) => {
      const { first: name, second: config } = fields(reader);
      return { kind: 'start_instance', name, config };
    },
  ],
  [(34 << 3) | DELIMITED, (r) => ({ kind: 'get_instance_status', instanceId: fields(r).id })],
  [(35 << 3) | DELIMITED, (r) => ({ kind: 'close_instance', instanceId: fields(r).id })],
  [
    (36 << 3) | DELIMITED,
    (reader) => {
      const { id: instanceId, second: phase } = fields(reader);
      return { kind: 'handle_event', instanceId, phase };
    },
  ],
]);

/** @throws WireError for anything that is not a call of this protocol. */
export function readRpcCall(payload: Buffer): RpcCall {
  const reader = new WireReader(payload);
  let sequence = 0;
  let command: RpcCommand | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    const read = COMMANDS.get(tag);
    if (tag === FIRST_VARINT) sequence = reader.varint();
    else if (read !== undefined) command = read(reader.message());
    else reader.skip(tag);
  }
  if (command === undefined) throw new WireError('a call without a command');
  return { sequence, command };
}

/** The command messages have a number or a string as field 1 and a string as field 2. */
function fields(reader: WireReader): { id: number; first: string; second: string } {
  const result = { id: 0, first: '', second: '' };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FIRST_VARINT) result.id = reader.varint();
    else if (tag === FIRST_DELIMITED) result.first = reader.text();
    else if (tag === SECOND_DELIMITED) result.second = reader.text();
    else reader.skip(tag);
  }
  return result;
}

/** A frame with RpcReturn{sequence}; behind an empty frame it ends an event. */
export function returnFrame(sequence: number): Uint8Array {
  return rpcReturn(sequence, () => {});
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
