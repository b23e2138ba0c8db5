import { connect } from 'node:net';
import { isTable, type PdkValue } from '../kong/pdk/lua-values.js';
import { BadMsgpack, decodeMsgpack, encodeMsgpack, MoreBytes } from '../kong/rpc/msgpack.js';
import { decodeArguments, encodeReply } from '../kong/rpc/pb-methods.js';
import { bytesOf, lastField, readFields } from '../kong/rpc/protobuf.js';
import { KongConnection } from './kong-connection.js';
import type { PdkCall } from './messages.js';
import { type Replies, replyTo } from './request-replies.js';

/** A request as plugins see it through Kong, and what the policy decides about it. */
export interface LaneRequest {
  /** To the reads of both phases. */
  readonly replies: Replies;
  readonly decision: 'allowed' | 'denied' | 'filtered';
}

/** One request after the other through a plugin server, without a Kong: what is measured is the server, not this. */
export interface Lane {
  /**
   * Access and response phase of one request; access alone when it is denied.
   * @throws Error when the plugin decides anything else than it should
   */
  request(request: LaneRequest): Promise<void>;
  close(): void;
}

/** Sees every call of a plugin to Kong. */
export type Watch = (call: PdkCall) => void;

/** How plugin servers are spoken to. */
export interface PluginProtocol {
  /** Starts an instance of ping-auth; resolves to its id. */
  start(socket: string, config: object): Promise<number>;
  open(socket: string, instance: number, watch?: Watch): Promise<Lane>;
}

/** Starts one instance of ping-auth and opens so many lanes with it. */
export async function openLanes(
  protocol: PluginProtocol,
  socket: string,
  config: object,
  count: number,
  watch?: Watch,
): Promise<Lane[]> {
  const instance = await protocol.start(socket, config);
  return Promise.all(Array.from({ length: count }, () => protocol.open(socket, instance, watch)));
}

type End = 'returned' | 'exit';

async function bothPhases(
  { decision }: LaneRequest,
  event: (phase: 'access' | 'response') => Promise<End>,
): Promise<void> {
  const access = await event('access');
  if ((access === 'exit') !== (decision === 'denied')) throw new Error(`${decision}: access ${access}`);
  if (access === 'exit') return;
  const response = await event('response');
  if ((response === 'exit') !== (decision === 'filtered'))
    throw new Error(`${decision}: response ${response}`);
}

/** ProtoBuf:1, one connection a lane; replies are encoded once for each request. */
export const PROTOBUF: PluginProtocol = {
  async start(socket, config) {
    const kong = await KongConnection.connect(socket);
    const instance = await kong.start('ping-auth', config);
    kong.destroy();
    return instance;
  },
  open: async (socket, instance, watch) =>
    new ProtobufLane(socket, instance, watch, await KongConnection.connect(socket)),
};

class ProtobufLane implements Lane {
  readonly #encoded = new WeakMap<LaneRequest, Map<string, Uint8Array>>();
  #requestContext: Uint8Array = Buffer.alloc(0);

  constructor(
    private readonly path: string,
    private readonly instance: number,
    private readonly watch: Watch | undefined,
    private kong: KongConnection,
  ) {}

  request(request: LaneRequest): Promise<void> {
    let encoded = this.#encoded.get(request);
    if (encoded === undefined) {
      encoded = new Map();
      this.#encoded.set(request, encoded);
    }
    const reply = this.#replies(request, encoded);
    return bothPhases(request, async (phase) => {
      const { end, calls } = await this.kong.event(this.instance, phase, reply);
      if (end === 'closed') throw new Error('the plugin server closed the connection');
      if (end === 'exit') {
        for (const exit of calls.slice(-1)) this.watch?.(exit);
        // Kong never uses such a connection again.
        this.kong = new KongConnection(connect(this.path));
      }
      return end;
    });
  }

  close(): void {
    this.kong.destroy();
  }

  #replies(request: LaneRequest, encoded: Map<string, Uint8Array>): (call: PdkCall) => Uint8Array {
    return (call) => {
      const { method, payload } = call;
      this.watch?.(call);
      // Field `v` of a KV is what `get` gives back.
      if (method === 'kong.ctx.shared.set') this.#requestContext = bytesOf(lastField(readFields(payload), 2));
      if (method === 'kong.ctx.shared.get') return this.#requestContext;
      const key = method === 'kong.nginx.get_var' ? method + payload.toString('latin1') : method;
      let reply = encoded.get(key);
      if (reply === undefined) {
        const value = replyTo(request.replies, method, decodeArguments(method, payload)?.[0]);
        const isBody = method === 'kong.request.get_raw_body';
        reply = encodeReply(method, isBody ? { content: value } : value);
        encoded.set(key, reply);
      }
      return reply;
    };
  }
}

/** MsgPack:1, one connection a lane: every PDK call is a round trip of its own, whatever the plugin does together. */
export const MSGPACK: PluginProtocol = {
  async start(socket, config) {
    const kong = new MsgpackConnection(socket);
    const status = await kong.call('StartInstance', { Name: 'ping-auth', Config: JSON.stringify(config) });
    kong.close();
    if (!isTable(status) || typeof status.Id !== 'number') throw new Error('no instance was started');
    return status.Id;
  },
  open: async (socket, instance, watch) => new MsgpackLane(instance, watch, new MsgpackConnection(socket)),
};

class MsgpackLane implements Lane {
  #requestContext: PdkValue;

  constructor(
    private readonly instance: number,
    private readonly watch: Watch | undefined,
    private readonly kong: MsgpackConnection,
  ) {}

  request(request: LaneRequest): Promise<void> {
    return bothPhases(request, async (phase) => {
      let step = await this.kong.call('HandleEvent', { InstanceId: this.instance, EventName: phase });
      for (;;) {
        const { EventId, Data } = isTable(step) ? step : {};
        if (Data === 'ret') return 'returned';
        if (!isTable(Data) || typeof Data.Method !== 'string') throw new Error(`no step in ${phase}`);
        const { Method: method } = Data;
        this.watch?.({ method, payload: Buffer.alloc(0) });
        // Kong never comes back from an exit: the server is told nothing more of this event.
        if (method === 'kong.response.exit') return 'exit';
        const [first, second] = Array.isArray(Data.Args) ? Data.Args : [];
        if (method === 'kong.ctx.shared.set' && first === 'ping_auth') this.#requestContext = second;
        const value =
          method === 'kong.ctx.shared.get' ? this.#requestContext : replyTo(request.replies, method, first);
        step = method.endsWith('get_headers')
          ? await this.kong.call('StepMultiMap', { EventId, Data: lists(value) })
          : await this.kong.call('Step', { EventId, ...(value !== undefined && { Data: value }) });
      }
    });
  }

  close(): void {
    this.kong.close();
  }
}

/** Over this protocol Kong shows every header as a list. */
function lists(headers: PdkValue): PdkValue {
  const entries = Object.entries(isTable(headers) ? headers : {});
  return Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? value : [value]]));
}

/** One call at a time. */
class MsgpackConnection {
  readonly #socket;
  #sequence = 0;
  #chunks: Buffer[] = [];
  #answered: (value: PdkValue) => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#failed(error));
    this.#socket.on('close', () => this.#failed(new Error('the plugin server closed the connection')));
  }

  call(method: string, args: { [key: string]: PdkValue }): Promise<PdkValue> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.write(encodeMsgpack([0, this.#sequence++, `plugin.${method}`, [args]]));
    });
  }

  close(): void {
    this.#failed = () => {};
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    let message: PdkValue;
    try {
      message = decodeMsgpack(this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)).value;
    } catch (error) {
      if (error instanceof MoreBytes) return;
      if (!(error instanceof BadMsgpack)) throw error;
      this.#failed(error);
      return;
    }
    this.#chunks = [];
    const [, , error, result] = Array.isArray(message) ? message : [];
    if (error === null || error === undefined) this.#answered(result);
    else this.#failed(new Error(String(error)));
  }
}
