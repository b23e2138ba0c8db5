import {
  type ArgumentWriter,
  bytes,
  bytesArgument,
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
  rawBody,
  struct,
  structArgument,
  text,
  textArgument,
  value,
} from './messages.js';
import { PdkCallError } from './plugin-module.js';

/** A method of Kong's PDK. */
export interface PdkMethod {
  readonly name: string;
  readonly writeArguments: ArgumentWriter;
  readonly readReply: ReplyReader;
  /** Frames of calls that were made before, by their only argument: most plugins ask the same in each event. */
  readonly frames: Map<unknown, Uint8Array>;
}

const methods = new Map<string, PdkMethod>();

function define(prefix: string, names: string, writeArguments: ArgumentWriter, readReply: ReplyReader): void {
  for (const short of names.split(' ')) {
    const name = `${prefix}.${short}`;
    methods.set(name, { name, writeArguments, readReply, frames: new Map() });
  }
}

// Some of the service `Kong` in pluginsocket.proto of Kong 3.9. Another method whose messages have such a form is one more name.
define('kong.client', 'get_ip get_forwarded_ip', noArguments, text);
define('kong.client', 'get_port get_forwarded_port', noArguments, integer);
define('kong.ctx.shared', 'set', keyValueArguments, nothing);
define('kong.ctx.shared', 'get', textArgument, value);
define('kong.log', 'alert crit err warn notice info debug', listArguments, nothing);
define('kong.log', 'set_serialize_value', keyValueArguments, nothing);
define('kong.nginx', 'get_var', textArgument, text);
define(
  'kong.request',
  'get_method get_scheme get_host get_forwarded_scheme get_forwarded_host get_path get_path_with_query get_raw_query',
  noArguments,
  text,
);
define('kong.request', 'get_port get_forwarded_port', noArguments, integer);
define('kong.request', 'get_http_version', noArguments, number);
define('kong.request', 'get_header', textArgument, text);
define('kong.request', 'get_headers', maximumArgument, struct);
define('kong.request', 'get_raw_body', noArguments, rawBody);
define('kong.response', 'get_status', noArguments, integer);
define('kong.response', 'get_headers', maximumArgument, struct);
define('kong.response', 'set_status', integerArgument, nothing);
define('kong.response', 'set_header', keyValueArguments, nothing);
define('kong.response', 'clear_header', textArgument, nothing);
define('kong.response', 'set_headers', structArgument, nothing);
define('kong.response', 'exit', exitArguments, nothing);
define('kong.service.request', 'set_path set_raw_query set_method clear_header', textArgument, nothing);
define('kong.service.request', 'set_header', keyValueArguments, nothing);
define('kong.service.request', 'set_headers', structArgument, nothing);
define('kong.service.request', 'set_raw_body', bytesArgument, nothing);
define('kong.service.response', 'get_raw_body', noArguments, bytes);

/** @throws PdkCallError for a method that is not offered to plugins. */
export function pdkMethod(name: string): PdkMethod {
  const method = methods.get(name);
  if (method === undefined) throw new PdkCallError('ERR_PDK_METHOD', `${name} is not offered to plugins`);
  return method;
}

/** Where the calls of one event go. */
export interface PdkCalls {
  /** Never throws: what is wrong with a call comes by its promise. */
  call(method: PdkMethod, args: readonly unknown[]): Promise<unknown>;
}

type NamespaceType = new (calls: PdkCalls) => Namespace;

/** A part of the `kong` object, such as `kong.request`: knows the calls of its event and has a getter for each method. */
class Namespace {
  readonly #calls: PdkCalls;

  constructor(calls: PdkCalls) {
    this.#calls = calls;
  }

  static define(path: string, members: ReadonlyMap<string, PdkMethod | NamespaceType>): NamespaceType {
    const type = class extends Namespace {};
    for (const [name, member] of members) {
      const get =
        typeof member === 'function'
          ? function (this: Namespace) {
              return new member(this.#calls);
            }
          : function (this: Namespace) {
              const calls = this.#calls;
              return (...args: unknown[]) => calls.call(member, args);
            };
      Object.defineProperty(type.prototype, name, { get, enumerable: true });
    }
    Object.setPrototypeOf(type.prototype, unknownMember(path));
    return type;
  }
}

/** What a namespace has beyond its members: with any method that is not offered, the call rejects and names it, as with kong-pdk. */
function unknownMember(path: string): object {
  const call = async (): Promise<never> => {
    throw new PdkCallError('ERR_PDK_METHOD', `${path} is not offered to plugins`);
  };
  return new Proxy(call, {
    get: (_target, name) =>
      // A namespace that is awaited or printed must not pass for a promise or an iterable.
      typeof name === 'symbol' || name === 'then' ? undefined : unknownMember(`${path}.${snakeCase(name)}`),
  });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Which property is which method: both spellings, `get_headers` and `getHeaders`. */
function namespace(path: string): NamespaceType {
  const members = new Map<string, PdkMethod | NamespaceType>();
  for (const method of methods.values()) {
    if (!method.name.startsWith(`${path}.`)) continue;
    const [name = '', ...inner] = method.name.slice(path.length + 1).split('.');
    if (inner.length > 0) members.set(name, members.get(name) ?? namespace(`${path}.${name}`));
    else {
      members.set(name, method);
      members.set(
        name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()),
        method,
      );
    }
  }
  return Namespace.define(path, members);
}

const Kong = namespace('kong');

/** The `kong` object of one event, as kong-pdk offers it. */
export function kongObject(calls: PdkCalls): unknown {
  return new Kong(calls);
}
