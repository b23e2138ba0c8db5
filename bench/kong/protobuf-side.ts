import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type BenchRequest, type KongSide, replyTo } from './bench-request.js';
import {
  bytesField,
  bytesOf,
  doubleField,
  FrameCutter,
  frame,
  headersStruct,
  intField,
  intOf,
  NOTHING,
} from './wire.js';

const START_INSTANCE = 33;
const HANDLE_EVENT = 36;
const EMPTY = frame(NOTHING);

/** Sees every call of a plugin server to Kong. */
export type Watch = (method: string, argument: Buffer) => void;

/** Starts one instance of the plugin and opens so many connections with it. */
export async function openProtobufSides(
  socket: string,
  config: object,
  connections: number,
  watch?: Watch,
): Promise<KongSide[]> {
  const sides = Array.from({ length: connections }, () => new ProtobufSide(socket, watch));
  await Promise.all(sides.map((side) => side.connected()));
  const instance = await sides[0]?.start(config);
  for (const side of sides) side.instance = instance ?? 0;
  return sides;
}

/** What the next frame is: the answer to Kong's call, a PDK call's method or its argument. */
type Expected = 'answer' | 'method' | 'argument';

/** One connection that speaks ProtoBuf:1; replies are encoded once for each request, and go out together. */
class ProtobufSide implements KongSide {
  instance = 0;
  readonly #path: string;
  readonly #watch: Watch | undefined;
  #socket: Socket;
  #request: BenchRequest | undefined;
  #expected: Expected = 'answer';
  #method = '';
  #requestContext = EMPTY;
  #replies = new WeakMap<BenchRequest, Map<string, Buffer>>();
  #resolve: (answer: Buffer | 'exit') => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(path: string, watch?: Watch) {
    this.#path = path;
    this.#watch = watch;
    this.#socket = this.#open();
  }

  async connected(): Promise<void> {
    await once(this.#socket, 'connect');
  }

  async start(config: object): Promise<number> {
    const command = Buffer.concat([bytesField(1, 'ping-auth'), bytesField(2, JSON.stringify(config))]);
    const answer = await this.#call(
      'answer',
      Buffer.concat([intField(1, 1), bytesField(START_INSTANCE, command)]),
    );
    const id = answer === 'exit' ? 0 : intOf(bytesOf(answer, START_INSTANCE), 2);
    if (id === 0) throw new Error('no instance was started');
    return id;
  }

  async request(request: BenchRequest): Promise<void> {
    this.#request = request;
    const end = await this.#event('access');
    if ((end === 'exit') !== request.denied) throw new Error(`access ended with ${end}`);
    if (request.denied) return;
    if ((await this.#event('response')) === 'exit') throw new Error('refused in response');
  }

  close(): void {
    this.#reject = () => undefined;
    this.#socket.destroy();
  }

  async #event(phase: string): Promise<'exit' | 'return'> {
    const command = Buffer.concat([intField(1, this.instance), bytesField(2, phase)]);
    const answer = await this.#call(
      'method',
      Buffer.concat([intField(1, 7), bytesField(HANDLE_EVENT, command)]),
    );
    return answer === 'exit' ? 'exit' : 'return';
  }

  #call(expected: Expected, call: Buffer): Promise<Buffer | 'exit'> {
    return new Promise((resolve, reject) => {
      this.#expected = expected;
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.write(frame(call));
    });
  }

  #open(): Socket {
    const socket = connect(this.#path);
    const frames = new FrameCutter();
    const take = (payload: Buffer) => {
      if (socket === this.#socket) this.#take(payload);
    };
    socket.on('data', (chunk: Buffer) => {
      socket.cork();
      frames.push(chunk, take);
      socket.uncork();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (socket === this.#socket) this.#reject(new Error('the plugin server closed the connection'));
    });
    return socket;
  }

  #take(payload: Buffer): void {
    if (this.#expected === 'answer') this.#resolve(payload);
    else if (this.#expected === 'argument') {
      this.#expected = 'method';
      this.#carryOut(payload);
    } else if (payload.length === 0) this.#expected = 'answer';
    else {
      this.#expected = 'argument';
      this.#method = payload.toString('latin1');
    }
  }

  #carryOut(argument: Buffer): void {
    this.#watch?.(this.#method, argument);
    if (this.#method !== 'kong.response.exit') {
      this.#socket.write(this.#reply(argument));
      return;
    }
    // Kong never uses such a connection again.
    this.#socket.destroy();
    this.#socket = this.#open();
    this.#resolve('exit');
  }

  #reply(argument: Buffer): Buffer {
    const method = this.#method;
    const request = this.#request;
    if (request === undefined) throw new Error(`${method} outside of a request`);
    if (method === 'kong.ctx.shared.set') {
      // Field `v` of a KV is what `get` gives back.
      this.#requestContext = frame(bytesOf(argument, 2));
      return EMPTY;
    }
    if (method === 'kong.ctx.shared.get') return this.#requestContext;
    let replies = this.#replies.get(request);
    if (replies === undefined) {
      replies = new Map();
      this.#replies.set(request, replies);
    }
    const name = method === 'kong.nginx.get_var' ? bytesOf(argument, 1).toString('latin1') : '';
    const key = method + name;
    let reply = replies.get(key);
    if (reply === undefined) {
      reply = frame(encode(method, replyTo(request, method, name)));
      replies.set(key, reply);
    }
    return reply;
  }
}

function encode(method: string, value: unknown): Buffer {
  if (value === undefined) return NOTHING;
  if (method === 'kong.request.get_http_version') return doubleField(1, Number(value));
  if (typeof value === 'number') return intField(1, value);
  if (typeof value === 'string' || value instanceof Uint8Array) return bytesField(1, value);
  return headersStruct(Object.entries(value as BenchRequest['headers']));
}
