import type { PdkTable } from '../kong/pdk/lua-values.js';
import {
  bytesField,
  bytesOf,
  encodeStruct,
  int32Of,
  int64Of,
  lastField,
  readFields,
  varintField,
} from '../kong/rpc/protobuf.js';

/** Messages of ProtoBuf:1 as Kong writes and reads them. Text goes out as UTF-8. */

const START_INSTANCE = 33;
const HANDLE_EVENT = 36;

/** `String{v}`; a ByteString looks the same. */
export function textMessage(value: string | Uint8Array): Buffer {
  return bytesField(1, Buffer.from(value));
}

export function intMessage(value: number): Buffer {
  return varintField(1, value);
}

/** `Struct` with strings; a list where a name has several. */
export function structMessage(entries: Readonly<Record<string, string | readonly string[]>>): Buffer {
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  const table: PdkTable = Object.create(null);
  for (const [name, value] of Object.entries(entries))
    table[bytes(name)] = typeof value === 'string' ? bytes(value) : value.map(bytes);
  return encodeStruct(table);
}

/** RpcCall with StartInstance. */
export function startCall(sequence: number, name: string, config: object | string): Buffer {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  const command = [bytesField(1, Buffer.from(name)), bytesField(2, Buffer.from(text))];
  return Buffer.concat([varintField(1, sequence), bytesField(START_INSTANCE, Buffer.concat(command))]);
}

/** RpcCall with one of the commands that have an instance id as field 1 and perhaps a string as field 2. */
export function instanceCall(sequence: number, command: number, id: number, text?: string): Buffer {
  const fields = [varintField(1, id), ...(text === undefined ? [] : [bytesField(2, Buffer.from(text))])];
  return Buffer.concat([varintField(1, sequence), bytesField(command, Buffer.concat(fields))]);
}

export function eventCall(sequence: number, id: number, phase: string): Buffer {
  return instanceCall(sequence, HANDLE_EVENT, id, phase);
}

/** The sequence number of an RpcReturn; 0 if it has none. */
export function readSequence(payload: Buffer): number {
  return int64Of(lastField(readFields(payload), 1));
}

/** The id in an RpcReturn's instance status. @throws Error if there is none */
export function readInstanceId(payload: Buffer): number {
  const status = lastField(readFields(payload), START_INSTANCE);
  const id = int32Of(lastField(readFields(bytesOf(status)), 2));
  if (id === 0) throw new Error('no instance_status in the answer');
  return id;
}

/** One call of the plugin to Kong; the payload is its argument. */
export interface PdkCall {
  readonly method: string;
  readonly payload: Buffer;
}

export interface ExitArgs {
  readonly status: number;
  readonly body: string;
  /** A `Struct`. */
  readonly headers: Buffer;
}

/** The arguments of `kong.response.exit`. */
export function readExit({ payload }: Pick<PdkCall, 'payload'>): ExitArgs {
  const fields = readFields(payload);
  const [status, body, headers] = [1, 2, 3].map((number) => lastField(fields, number));
  return { status: int32Of(status), body: bytesOf(body).toString(), headers: bytesOf(headers) };
}
