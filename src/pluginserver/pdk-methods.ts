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
import { type PieceSink, WireWriter } from './wire-writer.js';

/** A method of Kong's PDK. */
export interface PdkMethod {
  readonly name: string;
  readonly writeArguments: ArgumentWriter;
  readonly readReply: ReplyReader;
  /** Frames of calls that were made before, by their only argument: most plugins ask the same in each event. */
  readonly frames: Map<unknown, Uint8Array>;
}

export const RAW_BODY_METHOD = 'kong.request.get_raw_body';
export const EXIT_METHOD = 'kong.response.exit';

const methods = new Map<string, PdkMethod>();

function define(prefix: string, names: string, writeArguments: ArgumentWriter, readReply: ReplyReader): void {
  for (const short of names.split(' ')) {
    const name = `${prefix}.${short}`;
    methods.set(name, { name, writeArguments, readReply, frames: new Map() });
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

export function pdkMethods(): Iterable<PdkMethod> {
  return methods.values();
}

const MAX_KEPT_FRAMES = 32;
const MAX_KEPT_BYTES = 256;
let spareWriter: WireWriter | undefined;

/**
 * Sends the two frames of a call: the method's name, then its message.
 *
 * @throws TypeError when the arguments do not fit the method; nothing is sent then.
 */
export function sendCall(method: PdkMethod, args: readonly unknown[], out: PieceSink): void {
  const kept = args.length < 2 ? method.frames.get(args[0]) : undefined;
  if (kept !== undefined) {
    out.add(kept);
    return;
  }
  // An object among the arguments may run code of the plugin's while it is read, and that may make a call of its own.
  const writer = spareWriter ?? new WireWriter();
  spareWriter = undefined;
  try {
    method.writeArguments(writer, args);
    writer.closeFrame(0);
    const before = writer.length;
    writer.text(method.name);
    writer.closeFrame(before);
    if (mayKeep(method, args) && writer.length <= MAX_KEPT_BYTES) {
      method.frames.set(args[0], Buffer.concat(writer.finish()));
    }
    writer.sendTo(out);
  } finally {
    writer.clear();
    spareWriter = writer;
  }
}

/** Only of calls that read: what they ask for is of the plugin's choosing, what others write is of one request. */
function mayKeep({ readReply, frames }: PdkMethod, args: readonly unknown[]): boolean {
  if (readReply === nothing || frames.size >= MAX_KEPT_FRAMES) return false;
  const [only] = args;
  return args.length < 2 && (only === undefined || typeof only === 'string' || typeof only === 'number');
}
