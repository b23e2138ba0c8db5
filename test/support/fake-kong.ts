import { nginxVariables, PLAIN_GET, requestReplies } from '../../dev/kong-connection/request-replies.js';
import type { KongPdk } from '../../src/kong/kong-pdk.js';

/** One PDK call as Kong would see it: `kong.request.get_header` and its arguments. */
export type RecordedCall = readonly [method: string, ...args: unknown[]];

export interface FakeKong {
  readonly kong: KongPdk;
  readonly calls: RecordedCall[];
  /** Calls that were made before the first reply of the batch came back; one entry is one round trip. */
  readonly roundTrips: RecordedCall[][];
}

/**
 * A `kong` object whose replies are looked up by method, or by `method(first argument)`. A function is called with the
 * arguments; an Error is thrown. `kong.response.exit` never comes back, like Kong's.
 */
export function fakeKong(replies: Readonly<Record<string, unknown>> = {}): FakeKong {
  const calls: RecordedCall[] = [];
  const roundTrips: RecordedCall[][] = [];
  let batch: RecordedCall[] | undefined;
  const call = async (method: string, args: unknown[]): Promise<unknown> => {
    calls.push([method, ...args]);
    if (!batch) {
      batch = [];
      roundTrips.push(batch);
      setImmediate(() => {
        batch = undefined;
      });
    }
    batch.push([method, ...args]);
    if (method === 'kong.response.exit') return undefined;
    await new Promise((resolve) => setImmediate(resolve));
    const special = typeof args[0] === 'string' ? `${method}(${args[0]})` : method;
    const reply = special in replies ? replies[special] : replies[method];
    if (reply instanceof Error) throw reply;
    return typeof reply === 'function' ? reply(...args) : reply;
  };
  return { kong: node('kong', call) as KongPdk, calls, roundTrips };
}

function node(path: string, call: (method: string, args: unknown[]) => Promise<unknown>): unknown {
  return new Proxy(() => undefined, {
    get: (_target, name) => node(`${path}.${snakeCase(String(name))}`, call),
    apply: (_target, _this, args: unknown[]) => call(path, args),
  });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What Kong answers to the reads of the access phase for `GET http://api.example:8000/things?x=1`. */
export const GET_REQUEST = requestReplies(PLAIN_GET);
/** nginx's variables for the same request. */
export const GET_VARIABLES = nginxVariables(PLAIN_GET);
