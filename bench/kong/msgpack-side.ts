import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { decode, encode } from '@msgpack/msgpack';
import { type BenchRequest, type KongSide, replyTo } from './bench-request.js';

interface Step {
  readonly EventId: number;
  readonly Data: 'ret' | { readonly Method: string; readonly Args: readonly unknown[] };
}

/** Starts one instance of the plugin and opens so many connections with it. */
export async function openMsgpackSides(
  socket: string,
  config: object,
  connections: number,
): Promise<KongSide[]> {
  const sides = await Promise.all(Array.from({ length: connections }, () => MsgpackSide.connect(socket)));
  const id = await sides[0]?.start(config);
  for (const side of sides) side.instance = id;
  return sides;
}

/** One connection that speaks MsgPack:1: every PDK call is a round trip of its own, whatever the plugin does together. */
class MsgpackSide implements KongSide {
  instance: unknown;
  readonly #socket: Socket;
  #sequence = 0;
  #chunks: Buffer[] = [];
  #answered: (value: unknown) => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;
  #requestContext: unknown;

  static async connect(path: string): Promise<MsgpackSide> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new MsgpackSide(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('close', () => this.#failed(new Error('the plugin server closed the connection')));
    socket.on('error', () => socket.destroy());
  }

  async start(config: object): Promise<unknown> {
    const status = await this.#call('StartInstance', { Name: 'ping-auth', Config: JSON.stringify(config) });
    return (status as { Id: unknown }).Id;
  }

  async request(request: BenchRequest): Promise<void> {
    await this.#event('access', request);
    await this.#event('response', request);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #event(phase: string, request: BenchRequest): Promise<void> {
    let step = (await this.#call('HandleEvent', { InstanceId: this.instance, EventName: phase })) as Step;
    while (step.Data !== 'ret') {
      const { Method, Args } = step.Data;
      if (Method === 'kong.response.exit') throw new Error(`refused in ${phase}: ${JSON.stringify(Args)}`);
      step = (await this.#answer(step.EventId, Method, Args, request)) as Step;
    }
  }

  #answer(event: number, method: string, args: readonly unknown[], request: BenchRequest): Promise<unknown> {
    if (method === 'kong.ctx.shared.set' && args[0] === 'ping_auth') this.#requestContext = args[1];
    const data = method === 'kong.ctx.shared.get' ? this.#requestContext : replyTo(request, method, args[0]);
    const isMap = method.endsWith('get_headers');
    const sent = isMap ? lists(data as Readonly<Record<string, string | readonly string[]>>) : data;
    const step = { EventId: event, ...(sent === undefined ? {} : { Data: sent }) };
    return this.#call(isMap ? 'StepMultiMap' : 'Step', step);
  }

  #call(method: string, args: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.write(encode([0, this.#sequence++, `plugin.${method}`, [args]]));
    });
  }

  #onData(chunk: Buffer): void {
    this.#chunks.push(chunk);
    let message: unknown;
    try {
      message = decode(this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks));
    } catch {
      return; // not all of it is here
    }
    this.#chunks = [];
    const [, , error, result] = message as [number, number, unknown, unknown];
    if (error) this.#failed(new Error(String(error)));
    else this.#answered(result);
  }
}

/** Over this protocol Kong shows every header as a list. */
function lists(map: Readonly<Record<string, string | readonly string[]>>): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(map).map(([name, value]) => [name, typeof value === 'string' ? [value] : value]),
  );
}
