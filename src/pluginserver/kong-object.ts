import PDK from 'kong-pdk/pdk.js';
import { type PdkMethod, pdkMethods } from './pdk-methods.js';
import { PdkCallError } from './plugin-module.js';

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

  /** A kind of namespace; a property that is not among its members is looked up in kong-pdk's own bridge. */
  static define(members: ReadonlyMap<string, PdkMethod | NamespaceType>, bridge: object): NamespaceType {
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
    Object.setPrototypeOf(type.prototype, bridge);
    return type;
  }
}

interface Bridge {
  (): unknown;
  readonly [property: string]: Bridge;
}

/** What kong-pdk says that the last call was. */
let named = '';
const naming = new PDK({
  put: ({ Method }) => {
    named = Method;
  },
  get: async () => [undefined],
}).kong as Bridge;

/** Answers what Kong does not offer. */
const refusing = new PDK({
  put({ Method }) {
    throw new PdkCallError('ERR_PDK_METHOD', `Kong offers no ${Method} to external plugins`);
  },
  get: async () => [undefined],
}).kong as Bridge;

/**
 * kong-pdk makes the `kong` object out of proxies: each property access runs a regular expression, and makes a function and
 * one more proxy. Which property is which method of Kong's is always the same, so it is asked here once, at the start.
 */
function namespace(path: string): NamespaceType {
  const members = new Map<string, PdkMethod | NamespaceType>();
  const at = (bridge: Bridge): Bridge =>
    path
      .split('.')
      .slice(1)
      .reduce<Bridge>((inner, name) => inner[name] as Bridge, bridge);
  for (const method of pdkMethods()) {
    if (!method.name.startsWith(`${path}.`)) continue;
    const [name = '', ...inner] = method.name.slice(path.length + 1).split('.');
    if (inner.length > 0) members.set(name, members.get(name) ?? namespace(`${path}.${name}`));
    else {
      for (const spelling of [name, name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())]) {
        at(naming)[spelling]?.();
        if (named === method.name) members.set(spelling, method);
      }
    }
  }
  return Namespace.define(members, at(refusing));
}

const Kong = namespace('kong');

/** The `kong` object of one event. It works under both spellings: `get_headers` and `getHeaders`. */
export function kongObject(calls: PdkCalls): unknown {
  return new Kong(calls);
}
