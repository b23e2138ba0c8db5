import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A frame as it stands on the wire. */
export function frame(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(4);
  header.writeUInt32LE(bytes.length);
  return Buffer.concat([header, bytes]);
}

/** `String{v}` */
export function textMessage(value: string | Uint8Array): Uint8Array {
  return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(Buffer.from(value)).finish();
}

export function intMessage(value: number): Uint8Array {
  return new BinaryWriter().tag(1, WireType.Varint).int32(value).finish();
}

/** `Struct` with string values; a list where a name has several. */
export function structMessage(entries: Record<string, string | string[] | Uint8Array>): Uint8Array {
  const writer = new BinaryWriter();
  for (const [key, value] of Object.entries(entries)) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.LengthDelimited).fork();
    if (Array.isArray(value)) {
      writer.tag(6, WireType.LengthDelimited).fork();
      for (const one of value) {
        writer.tag(1, WireType.LengthDelimited).fork().tag(3, WireType.LengthDelimited).string(one).join();
      }
      writer.join();
    } else writer.tag(3, WireType.LengthDelimited).bytes(Buffer.from(value));
    writer.join().join();
  }
  return writer.finish();
}

export function startCall(sequence: number, name: string, config: object | string): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.Varint)
    .int64(sequence)
    .tag(33, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.LengthDelimited)
    .string(name)
    .tag(2, WireType.LengthDelimited)
    .bytes(Buffer.from(typeof config === 'string' ? config : JSON.stringify(config)))
    .join()
    .finish();
}

/** RpcCall with one of the commands that have an instance id as field 1 and perhaps a string as field 2. */
export function instanceCall(sequence: number, command: number, id: number, text?: string): Uint8Array {
  const writer = new BinaryWriter().tag(1, WireType.Varint).int64(sequence);
  writer.tag(command, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(id);
  if (text !== undefined) writer.tag(2, WireType.LengthDelimited).string(text);
  return writer.join().finish();
}

export const eventCall = (sequence: number, id: number, phase: string): Uint8Array =>
  instanceCall(sequence, 36, id, phase);

export interface PdkCall {
  readonly method: string;
  readonly payload: Buffer;
}

export interface EventResult {
  readonly calls: PdkCall[];
  readonly end: 'returned' | 'closed' | 'exit';
  readonly sequence?: number;
}

export interface ExitArgs {
  readonly status: number;
  readonly body: string;
  readonly headers: Buffer;
}

export function readExit({ payload }: PdkCall): ExitArgs {
  const reader = new BinaryReader(payload);
  let status = 0;
  let body = '';
  let headers = Buffer.alloc(0);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) status = reader.int32();
    else if (field === 2) body = Buffer.from(reader.bytes()).toString();
    else if (field === 3) headers = Buffer.from(reader.bytes());
    else reader.skip(type, field);
  }
  return { status, body, headers };
}

/** Kong's end of one connection, written from the recordings and independently of the server's own codec. */
export class KongSide {
  readonly socket: Socket;
  readonly #frames: Buffer[] = [];
  #received: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #closed = false;
  #wake: () => void = () => {};
  /** How many chunks arrived: the server's writes, as long as nobody is slow. */
  chunks = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.chunks++;
      this.#chunks.push(chunk);
      this.#chunkBytes += chunk.length;
      // A large frame is joined once, when all of it is there.
      if (this.#received.length >= 4) {
        const missing = 4 + this.#received.readUInt32LE(0) - this.#received.length;
        if (missing > this.#chunkBytes) return;
      }
      this.#received = Buffer.concat([this.#received, ...this.#chunks]);
      this.#chunks = [];
      this.#chunkBytes = 0;
      while (this.#received.length >= 4) {
        const length = this.#received.readUInt32LE(0);
        if (this.#received.length < 4 + length) break;
        this.#frames.push(this.#received.subarray(4, 4 + length));
        this.#received = this.#received.subarray(4 + length);
      }
      this.#wake();
    });
    const close = (): void => {
      this.#closed = true;
      this.#wake();
    };
    socket.on('end', close);
    socket.on('close', close);
    socket.on('error', close);
  }

  static async connect(path: string): Promise<KongSide> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new KongSide(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(...payloads: (Uint8Array | string)[]): void {
    this.socket.write(Buffer.concat(payloads.map(frame)));
  }

  /** The next frame; undefined when the server closed. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const payload = this.#frames.shift();
      if (payload !== undefined) return payload;
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async closes(): Promise<void> {
    while ((await this.next()) !== undefined);
  }

  /** StartInstance; resolves to the id. */
  async start(name: string, config: object | string = {}, sequence = 1): Promise<number> {
    this.send(startCall(sequence, name, config));
    const answer = await this.next();
    if (answer === undefined) throw new Error('the server closed instead of starting an instance');
    return readInstanceId(answer);
  }

  /** Runs an event as Kong does; `reply` gives Kong's answer to each PDK call. After an exit Kong closes. */
  async event(
    id: number,
    phase: string,
    reply: (call: PdkCall, index: number) => Uint8Array | string = () => '',
    sequence = 7,
  ): Promise<EventResult> {
    this.send(eventCall(sequence, id, phase));
    const calls: PdkCall[] = [];
    for (;;) {
      const first = await this.next();
      if (first === undefined) return { calls, end: 'closed' };
      if (first.length === 0) {
        const last = await this.next();
        if (last === undefined) return { calls, end: 'closed' };
        return { calls, end: 'returned', sequence: readSequence(last) };
      }
      const payload = await this.next();
      if (payload === undefined) return { calls, end: 'closed' };
      const call = { method: first.toString(), payload };
      calls.push(call);
      if (call.method === 'kong.response.exit') {
        this.socket.destroy();
        return { calls, end: 'exit' };
      }
      this.send(reply(call, calls.length - 1));
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

export function readSequence(payload: Uint8Array): number {
  const reader = new BinaryReader(payload);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) return Number(reader.int64());
    reader.skip(type, field);
  }
  return 0;
}

function readInstanceId(payload: Uint8Array): number {
  const reader = new BinaryReader(payload);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 33) {
      reader.skip(type, field);
      continue;
    }
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end) {
      const [inner, innerType] = reader.tag();
      if (inner === 2) return reader.int32();
      reader.skip(innerType, inner);
    }
  }
  throw new Error('no instance_status in the answer');
}
