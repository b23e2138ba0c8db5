import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FrameCutter, frame } from './frames.js';
import { eventCall, type PdkCall, readInstanceId, readSequence, startCall } from './messages.js';

export interface EventResult {
  readonly calls: PdkCall[];
  readonly end: 'returned' | 'closed' | 'exit';
  readonly sequence?: number;
}

/** Kong's reply to a PDK call, without its length. */
export type Reply = (call: PdkCall, index: number) => Uint8Array | string;

const LARGE = 65_536;

/** An event whose frames are taken in as they arrive. */
interface RunningEvent {
  readonly calls: PdkCall[];
  readonly reply: Reply;
  /** What the next frame is: a PDK call's method, its argument, or the answer to HandleEvent. */
  expected: 'method' | 'argument' | 'answer';
  method: string;
  readonly resolve: (result: EventResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Kong's end of one ProtoBuf:1 connection to a plugin server, without the rest of a Kong. It is written from recordings and
 * shares nothing with the server's codec. Frame by frame with `send` and `next`, or a whole event at a time.
 */
export class KongConnection {
  readonly socket: Socket;
  readonly #frames: Buffer[] = [];
  #event: RunningEvent | undefined;
  #closed = false;
  #wake: () => void = () => {};
  /** How many chunks arrived: the server's writes, as long as the reader is quick. */
  chunks = 0;

  /** @param socket may still be connecting */
  constructor(socket: Socket) {
    this.socket = socket;
    const cutter = new FrameCutter();
    const take = (payload: Buffer) => this.#take(payload);
    socket.on('data', (chunk) => {
      this.chunks++;
      // Replies to calls that came together go out together.
      socket.cork();
      cutter.push(chunk, take);
      socket.uncork();
    });
    const close = (): void => {
      this.#closed = true;
      this.#end({ end: 'closed' });
      this.#wake();
    };
    socket.on('end', close);
    socket.on('close', close);
    socket.on('error', close);
  }

  static async connect(path: string): Promise<KongConnection> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new KongConnection(socket);
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

  /** The next PDK call; its method is empty if the server closed. */
  async nextCall(): Promise<PdkCall> {
    const method = (await this.next())?.toString() ?? '';
    return { method, payload: (await this.next()) ?? Buffer.alloc(0) };
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

  /** Runs an event as Kong does. After an exit Kong closes. */
  event(id: number, phase: string, reply: Reply = () => '', sequence = 7): Promise<EventResult> {
    return new Promise((resolve, reject) => {
      this.#event = { calls: [], reply, expected: 'method', method: '', resolve, reject };
      this.send(eventCall(sequence, id, phase));
      for (const payload of this.#frames.splice(0)) this.#take(payload);
      if (this.#closed) this.#end({ end: 'closed' });
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(payload: Buffer): void {
    const event = this.#event;
    if (event === undefined) {
      this.#frames.push(payload);
      this.#wake();
      return;
    }
    try {
      this.#takeInto(event, payload);
    } catch (error) {
      this.#event = undefined;
      event.reject(error);
    }
  }

  #takeInto(event: RunningEvent, payload: Buffer): void {
    if (event.expected === 'answer') {
      this.#end({ end: 'returned', sequence: readSequence(payload) });
    } else if (event.expected === 'method') {
      event.expected = payload.length === 0 ? 'answer' : 'argument';
      event.method = payload.toString('latin1');
    } else {
      event.expected = 'method';
      const call = { method: event.method, payload };
      event.calls.push(call);
      if (call.method !== 'kong.response.exit') {
        this.#reply(event.reply(call, event.calls.length - 1));
      } else {
        this.socket.destroy();
        this.#end({ end: 'exit' });
      }
    }
  }

  /** What is large is not copied. */
  #reply(payload: Uint8Array | string): void {
    if (payload.length < LARGE) {
      this.socket.write(frame(payload));
      return;
    }
    const bytes = Buffer.from(payload);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    this.socket.write(length);
    this.socket.write(bytes);
  }

  #end(result: Omit<EventResult, 'calls'>): void {
    const event = this.#event;
    this.#event = undefined;
    event?.resolve({ calls: event.calls, ...result });
  }
}
