import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FrameReader } from '../../src/pluginserver/frames.js';
import {
  frame,
  instanceCall,
  intMessage,
  startCall,
  structMessage,
  textMessage,
} from '../../test/pluginserver/kong-side.js';
import { type BenchRequest, replyTo } from './bench-request.js';
import type { KongSide, OpenKongSides } from './kong-side.js';

const HANDLE_EVENT = 36;
const EMPTY = frame('');

export const openProtobufSides: OpenKongSides = async (socket, config, connections) => {
  const first = await ProtobufSide.connect(socket);
  const id = await first.start(config);
  const others = Array.from({ length: connections - 1 }, () => ProtobufSide.connect(socket));
  const sides = [first, ...(await Promise.all(others))];
  for (const side of sides) side.instance = id;
  return sides;
};

/** One connection that speaks ProtoBuf:1; replies are encoded once for each kind of request. */
class ProtobufSide implements KongSide {
  instance = 0;
  readonly #socket: Socket;
  #frames: Buffer[] = [];
  #wake: () => void = () => undefined;
  #closed = false;
  #replies = new WeakMap<BenchRequest, Map<string, Buffer>>();
  #memo: Buffer = EMPTY;

  static async connect(path: string): Promise<ProtobufSide> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new ProtobufSide(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new FrameReader(256 * 1024 * 1024, {
      onFrame: (frame) => {
        this.#frames.push(frame.rest());
      },
      onOversize: () => false,
    });
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
    socket.on('error', () => socket.destroy());
  }

  async start(config: object): Promise<number> {
    this.#socket.write(frame(startCall(1, 'ping-auth', config)));
    return instanceId(await this.#next());
  }

  async request(request: BenchRequest): Promise<void> {
    await this.#event('access', request);
    await this.#event('response', request);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #event(phase: string, request: BenchRequest): Promise<void> {
    this.#socket.write(frame(instanceCall(7, HANDLE_EVENT, this.instance, phase)));
    for (;;) {
      const name = await this.#next();
      const payload = await this.#next();
      if (name.length === 0) return;
      const method = name.toString('latin1');
      if (method === 'kong.response.exit')
        throw new Error(`refused in ${phase}: ${payload.toString('latin1')}`);
      this.#socket.write(this.#reply(request, method, payload));
    }
  }

  #reply(request: BenchRequest, method: string, payload: Buffer): Buffer {
    if (method === 'kong.ctx.shared.set') {
      this.#memo = frame(keptValue(payload));
      return EMPTY;
    }
    if (method === 'kong.ctx.shared.get') return this.#memo;
    let replies = this.#replies.get(request);
    if (replies === undefined) {
      replies = new Map();
      this.#replies.set(request, replies);
    }
    const name = method === 'kong.nginx.get_var' ? payload.toString('latin1', 2) : undefined;
    const key = `${method} ${name ?? ''}`;
    let reply = replies.get(key);
    if (reply === undefined) {
      reply = frame(encode(method, replyTo(request, method, name)));
      replies.set(key, reply);
    }
    return reply;
  }

  async #next(): Promise<Buffer> {
    for (;;) {
      const payload = this.#frames.shift();
      if (payload !== undefined) return payload;
      if (this.#closed) throw new Error('the plugin server closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function encode(method: string, value: unknown): Uint8Array | string {
  if (value === undefined) return '';
  if (method === 'kong.request.get_http_version') {
    return new BinaryWriter().tag(1, WireType.Bit64).double(Number(value)).finish();
  }
  if (typeof value === 'number') return intMessage(value);
  if (typeof value === 'string' || value instanceof Uint8Array) return textMessage(value);
  return structMessage(value as Record<string, string | string[]>);
}

/** Field `v` of a KV is what `get` gives back. */
function keptValue(kv: Buffer): Buffer {
  const reader = new BinaryReader(kv);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 2) return Buffer.from(reader.bytes());
    reader.skip(type, field);
  }
  return Buffer.alloc(0);
}

function instanceId(answer: Buffer): number {
  const call = new BinaryReader(answer);
  while (call.pos < call.len) {
    const [field, type] = call.tag();
    if (field !== 33) {
      call.skip(type, field);
      continue;
    }
    const status = new BinaryReader(call.bytes());
    while (status.pos < status.len) {
      const [inner, innerType] = status.tag();
      if (inner === 2) return status.int32();
      status.skip(innerType, inner);
    }
  }
  throw new Error('no instance was started');
}
