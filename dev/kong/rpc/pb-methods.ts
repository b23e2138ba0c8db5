import { isTable, luaToString, type PdkTable, type PdkValue, toBytes } from '../pdk/lua-values.js';
import {
  BadMessage,
  bytesField,
  bytesOf,
  decodeList,
  decodeStruct,
  decodeValue,
  doubleField,
  encodeStruct,
  encodeValue,
  int32Of,
  lastField,
  readFields,
  varintField,
} from './protobuf.js';

/** The PDK call's result has another type than its reply message; Kong raises an error (500). */
export class ReplyTypeError extends Error {
  override readonly name = 'ReplyTypeError';
}

type ArgumentType =
  | 'Empty'
  | 'String'
  | 'Int'
  | 'ByteString'
  | 'KV'
  | 'Struct'
  | 'ListValue'
  | 'ExitArgs'
  | 'Target';
type ReplyType =
  | 'Empty'
  | 'String'
  | 'Int'
  | 'Number'
  | 'Bool'
  | 'ByteString'
  | 'Struct'
  | 'Value'
  | 'RawBodyResult'
  | 'Route'
  | 'Service';

/** Argument and reply of every PDK method that ProtoBuf:1 knows (and the stand-in offers). */
const SIGNATURES: ReadonlyMap<string, readonly [ArgumentType, ReplyType]> = new Map([
  ...signatures('kong.client', 'Empty', 'String', ['get_ip', 'get_forwarded_ip']),
  ...signatures('kong.client', 'Empty', 'Int', ['get_port', 'get_forwarded_port']),
  ...signatures('kong.ctx.shared', 'KV', 'Empty', ['set']),
  ...signatures('kong.ctx.shared', 'String', 'Value', ['get']),
  ...signatures('kong.ip', 'String', 'Bool', ['is_trusted']),
  ...signatures('kong.log', 'ListValue', 'Empty', [
    'debug',
    'info',
    'notice',
    'warn',
    'err',
    'crit',
    'alert',
  ]),
  ...signatures('kong.log', 'KV', 'Empty', ['set_serialize_value']),
  ...signatures('kong.nginx', 'String', 'String', ['get_var']),
  ...signatures('kong.nginx', 'Empty', 'String', ['get_subsystem']),
  ...signatures('kong.nginx', 'Empty', 'Number', ['req_start_time']),
  ...signatures('kong.node', 'Empty', 'String', ['get_id']),
  ...signatures('kong.request', 'Empty', 'String', [
    'get_method',
    'get_scheme',
    'get_host',
    'get_forwarded_scheme',
    'get_forwarded_host',
    'get_path',
    'get_path_with_query',
    'get_raw_query',
  ]),
  ...signatures('kong.request', 'Empty', 'Int', ['get_port', 'get_forwarded_port']),
  ...signatures('kong.request', 'Empty', 'Number', ['get_http_version']),
  ...signatures('kong.request', 'String', 'String', ['get_header', 'get_query_arg']),
  ...signatures('kong.request', 'Int', 'Struct', ['get_headers', 'get_query']),
  ...signatures('kong.request', 'Empty', 'RawBodyResult', ['get_raw_body']),
  ...signatures('kong.response', 'Empty', 'Int', ['get_status']),
  ...signatures('kong.response', 'Int', 'Struct', ['get_headers']),
  ...signatures('kong.response', 'String', 'String', ['get_header']),
  ...signatures('kong.response', 'Empty', 'String', ['get_source']),
  ...signatures('kong.response', 'Int', 'Empty', ['set_status']),
  ...signatures('kong.response', 'KV', 'Empty', ['set_header', 'add_header']),
  ...signatures('kong.response', 'String', 'Empty', ['clear_header']),
  ...signatures('kong.response', 'Struct', 'Empty', ['set_headers']),
  ...signatures('kong.response', 'ExitArgs', 'Empty', ['exit']),
  ...signatures('kong.router', 'Empty', 'Route', ['get_route']),
  ...signatures('kong.router', 'Empty', 'Service', ['get_service']),
  ...signatures('kong.service', 'String', 'Empty', ['set_upstream']),
  ...signatures('kong.service', 'Target', 'Empty', ['set_target']),
  ...signatures('kong.service.request', 'String', 'Empty', [
    'set_path',
    'set_raw_query',
    'set_method',
    'set_scheme',
    'clear_header',
  ]),
  ...signatures('kong.service.request', 'KV', 'Empty', ['set_header', 'add_header']),
  ...signatures('kong.service.request', 'Struct', 'Empty', ['set_headers', 'set_query']),
  ...signatures('kong.service.request', 'ByteString', 'Empty', ['set_raw_body']),
  ...signatures('kong.service.response', 'Empty', 'Int', ['get_status']),
  ...signatures('kong.service.response', 'Int', 'Struct', ['get_headers']),
  ...signatures('kong.service.response', 'String', 'String', ['get_header']),
  ...signatures('kong.service.response', 'Empty', 'ByteString', ['get_raw_body']),
]);

function signatures(
  space: string,
  argument: ArgumentType,
  reply: ReplyType,
  names: readonly string[],
): [string, readonly [ArgumentType, ReplyType]][] {
  return names.map((name) => [`${space}.${name}`, [argument, reply] as const]);
}

/** Undefined when the protocol has no such method. What cannot be decoded counts as an empty message, as in Kong. */
export function decodeArguments(method: string, bytes: Buffer): PdkValue[] | undefined {
  const type = SIGNATURES.get(method)?.[0];
  if (type === undefined) return undefined;
  try {
    return decode(type, bytes);
  } catch (error) {
    if (error instanceof BadMessage) return decode(type, Buffer.alloc(0));
    throw error;
  }
}

function decode(type: ArgumentType, bytes: Buffer): PdkValue[] {
  const fields = type === 'Struct' || type === 'ListValue' ? [] : readFields(bytes);
  const at = (number: number) => lastField(fields, number);
  switch (type) {
    case 'Empty':
      return [];
    case 'String':
      return [bytesOf(at(1)).toString('latin1')];
    case 'Int':
      return [int32Of(at(1))];
    case 'ByteString':
      return [bytesOf(at(1))];
    case 'KV':
      return [
        bytesOf(at(1)).toString('latin1'),
        at(2) === undefined ? undefined : decodeValue(bytesOf(at(2))),
      ];
    case 'Struct':
      return [decodeStruct(bytes)];
    case 'ListValue':
      return decodeList(bytes);
    case 'ExitArgs':
      return [int32Of(at(1)), bytesOf(at(2)), at(3) === undefined ? undefined : decodeStruct(bytesOf(at(3)))];
    case 'Target':
      return [bytesOf(at(1)).toString('latin1'), int32Of(at(2))];
  }
}

/** @throws ReplyTypeError */
export function encodeReply(method: string, value: PdkValue): Buffer {
  const type = SIGNATURES.get(method)?.[1] ?? 'Empty';
  switch (type) {
    case 'Empty':
      return Buffer.alloc(0);
    case 'Value':
      return encodeValue(value);
    case 'Struct':
      return isTable(value) ? encodeStruct(value) : Buffer.alloc(0);
    case 'RawBodyResult':
      return encodeRawBody(value);
    case 'Route':
      return isTable(value) ? encodeRoute(value) : Buffer.alloc(0);
    case 'Service':
      return isTable(value) ? encodeService(value) : Buffer.alloc(0);
    case 'Bool':
      return varintField(1, value === true ? 1 : 0);
    case 'Int':
      return typeof value === 'number' && value !== 0 ? varintField(1, value) : Buffer.alloc(0);
    case 'Number':
      return typeof value === 'number' ? doubleField(1, value) : Buffer.alloc(0);
    case 'String':
    case 'ByteString': {
      if (typeof value === 'boolean') {
        throw new ReplyTypeError("bad argument #2 to 'encode' (string expected for field 'v', got boolean)");
      }
      const bytes = toBytes(value);
      return bytes.length > 0 ? bytesField(1, bytes) : bytes;
    }
  }
}

function encodeRawBody(value: PdkValue): Buffer {
  if (!isTable(value)) return Buffer.alloc(0);
  if (value.content !== undefined) return bytesField(1, toBytes(value.content));
  if (value.body_filepath !== undefined) return bytesField(2, luaToString(value.body_filepath));
  return bytesField(3, luaToString(value.error));
}

function encodeRoute(route: PdkTable): Buffer {
  const strings = (number: number, list: PdkValue): Buffer[] =>
    Array.isArray(list) ? list.map((text) => bytesField(number, toBytes(text))) : [];
  const service = isTable(route.service) ? bytesField(1, luaToString(route.service.id)) : undefined;
  return Buffer.concat([
    bytesField(1, luaToString(route.id)),
    varintField(2, Number(route.created_at)),
    varintField(3, Number(route.updated_at)),
    ...(route.name === undefined ? [] : [bytesField(4, luaToString(route.name))]),
    ...strings(5, route.protocols),
    ...strings(6, route.methods),
    ...strings(7, route.hosts),
    ...strings(8, route.paths),
    varintField(10, Number(route.https_redirect_status_code)),
    varintField(12, route.strip_path === true ? 1 : 0),
    varintField(13, route.preserve_host === true ? 1 : 0),
    ...(service === undefined ? [] : [bytesField(18, service)]),
  ]);
}

function encodeService(service: PdkTable): Buffer {
  return Buffer.concat([
    bytesField(1, luaToString(service.id)),
    varintField(2, Number(service.created_at)),
    varintField(3, Number(service.updated_at)),
    ...(service.name === undefined ? [] : [bytesField(4, luaToString(service.name))]),
    bytesField(6, luaToString(service.protocol)),
    bytesField(7, luaToString(service.host)),
    varintField(8, Number(service.port)),
    ...(service.path === undefined ? [] : [bytesField(9, luaToString(service.path))]),
    varintField(10, Number(service.connect_timeout)),
    varintField(11, Number(service.write_timeout)),
    varintField(12, Number(service.read_timeout)),
  ]);
}
