import {
  type ArgumentWriter,
  AUTHENTICATE_ARGS,
  bool,
  boolArgument,
  bytes,
  bytesArgument,
  CONSUMER,
  CONSUMER_SPEC,
  CREDENTIAL,
  exitArguments,
  integer,
  integerArgument,
  keyValueArguments,
  listArguments,
  maximumArgument,
  noArguments,
  nothing,
  number,
  type ReplyReader,
  ROUTE,
  rawBody,
  record,
  recordArguments,
  SERVICE,
  struct,
  structArgument,
  TARGET,
  text,
  textArgument,
  URI_CAPTURES,
  value,
} from './pdk-messages.js';
import { WireWriter } from './wire.js';

export interface PdkMethod {
  readonly name: string;
  readonly writeArguments: ArgumentWriter;
  readonly readReply: ReplyReader;
}

export const RAW_BODY_METHOD = 'kong.request.get_raw_body';
export const EXIT_METHOD = 'kong.response.exit';

const methods = new Map<string, PdkMethod>();
/** Frames of calls whose message is always empty, ready to send. */
const readyFrames = new Map<string, Uint8Array>();

function define(prefix: string, names: string, writeArguments: ArgumentWriter, readReply: ReplyReader): void {
  for (const short of names.split(' ')) {
    const name = `${prefix}.${short}`;
    const method = { name, writeArguments, readReply };
    methods.set(name, method);
    if (writeArguments === noArguments) readyFrames.set(name, Buffer.concat(buildFrames(method, [])));
  }
}

// Kong 3.9, service `Kong` in its pluginsocket.proto.
define('kong.client', 'get_ip get_forwarded_ip', noArguments, text);
define('kong.client', 'get_port get_forwarded_port', noArguments, integer);
define('kong.client', 'get_credential', noArguments, record(CREDENTIAL));
define('kong.client', 'get_consumer', noArguments, record(CONSUMER));
define('kong.client', 'load_consumer', recordArguments(CONSUMER_SPEC), record(CONSUMER));
define('kong.client', 'authenticate', recordArguments(AUTHENTICATE_ARGS), nothing);
define('kong.client', 'get_protocol', boolArgument, text);
define('kong.ctx.shared', 'set', keyValueArguments, nothing);
define('kong.ctx.shared', 'get', textArgument, value);
define('kong.ip', 'is_trusted', textArgument, bool);
define('kong.log', 'alert crit err warn notice info debug', listArguments, nothing);
define('kong.log', 'set_serialize_value', keyValueArguments, nothing);
define('kong.log', 'serialize', noArguments, text);
define('kong.nginx', 'get_var', textArgument, text);
define('kong.nginx', 'get_tls1_version_str get_subsystem', noArguments, text);
define('kong.nginx', 'set_ctx', keyValueArguments, nothing);
define('kong.nginx', 'get_ctx', textArgument, value);
define('kong.nginx', 'req_start_time', noArguments, number);
define('kong.node', 'get_id', noArguments, text);
define(
  'kong.request',
  'get_method get_scheme get_host get_forwarded_scheme get_forwarded_host get_path get_path_with_query get_raw_query',
  noArguments,
  text,
);
define('kong.request', 'get_port get_forwarded_port', noArguments, integer);
define('kong.request', 'get_http_version', noArguments, number);
define('kong.request', 'get_query_arg get_header', textArgument, text);
define('kong.request', 'get_query get_headers', maximumArgument, struct);
define('kong.request', 'get_raw_body', noArguments, rawBody);
define('kong.request', 'get_uri_captures', noArguments, record(URI_CAPTURES));
define('kong.response', 'get_status', noArguments, integer);
define('kong.response', 'get_header', textArgument, text);
define('kong.response', 'get_headers', maximumArgument, struct);
define('kong.response', 'get_source', noArguments, text);
define('kong.response', 'set_status', integerArgument, nothing);
define('kong.response', 'set_header add_header', keyValueArguments, nothing);
define('kong.response', 'clear_header', textArgument, nothing);
define('kong.response', 'set_headers', structArgument, nothing);
define('kong.response', 'exit', exitArguments, nothing);
define('kong.router', 'get_route', noArguments, record(ROUTE));
define('kong.router', 'get_service', noArguments, record(SERVICE));
define('kong.service', 'set_upstream', textArgument, nothing);
define('kong.service', 'set_target', recordArguments(TARGET), nothing);
define('kong.service.request', 'set_scheme set_path set_raw_query set_method', textArgument, nothing);
define('kong.service.request', 'clear_header', textArgument, nothing);
define('kong.service.request', 'set_header add_header', keyValueArguments, nothing);
define('kong.service.request', 'set_headers set_query', structArgument, nothing);
define('kong.service.request', 'set_raw_body', bytesArgument, nothing);
define('kong.service.response', 'get_status', noArguments, integer);
define('kong.service.response', 'get_header', textArgument, text);
define('kong.service.response', 'get_headers', maximumArgument, struct);
define('kong.service.response', 'get_raw_body', noArguments, bytes);

/** undefined for a method that Kong does not offer to external plugins. */
export function pdkMethod(name: string): PdkMethod | undefined {
  return methods.get(name);
}

/**
 * The two frames of a call: the method's name, then its message.
 *
 * @throws TypeError when the arguments do not fit the method.
 */
export function callFrames(method: PdkMethod, args: readonly unknown[]): Uint8Array[] {
  const ready = readyFrames.get(method.name);
  return ready === undefined ? buildFrames(method, args) : [ready];
}

function buildFrames(method: PdkMethod, args: readonly unknown[]): Uint8Array[] {
  const writer = new WireWriter();
  method.writeArguments(writer, args);
  writer.closeFrame(0);
  const before = writer.length;
  writer.text(method.name);
  writer.closeFrame(before);
  return writer.finish();
}
