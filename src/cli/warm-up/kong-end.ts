import type { Duplex } from 'node:stream';
import { FrameReader, type FrameSink } from '../../pluginserver/frames.js';
import { DELIMITED, FIXED64, VARINT, type WireReader } from '../../pluginserver/wire-reader.js';
import { WireWriter } from '../../pluginserver/wire-writer.js';

/** What Kong replies to a call by the plugin: a message of the protocol. Of `get_var` by the variable's name. */
export type Replies = ReadonlyMap<string, Uint8Array>;

const START_INSTANCE = 33;
const HANDLE_EVENT = 36;
const MAX_FRAME_BYTES = 1 << 20;
const NIL = new Uint8Array(0);

/** Kong's end of one connection to the plugin server, as far as a permitted request needs it. */
export class KongEnd implements FrameSink {
  readonly #socket: Duplex;
  readonly #frames = new FrameReader(MAX_FRAME_BYTES, this);
  #instance = 0;
  #replies: Replies = new Map();
  /** What the next frame is: the answer to Kong's call, a PDK call's method or its argument. */
  #expected: 'answer' | 'method' | 'argument' = 'answer';
  #method = '';
  /** What `kong.ctx.shared` holds; the plugin keeps one value there for its response phase. */
  #kept: Uint8Array = NIL;
  #done: (instance: number) => void = () => {};
  #fail: (error: Error) => void = () => {};

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#frames.push(chunk));
    socket.on('close', () => this.#fail(new Error('the plugin server closed the connection')));
  }

  async start(plugin: string, config: object): Promise<void> {
    this.#instance = await this.#call('answer', START_INSTANCE, (command) => {
      command.textField(tag(2, DELIMITED), JSON.stringify(config));
      command.textField(tag(1, DELIMITED), plugin);
    });
  }

  /** Resolves when the phase has returned. @throws Error when it ended in any other way */
  async event(phase: 'access' | 'response', replies: Replies): Promise<void> {
    this.#replies = replies;
    await this.#call('method', HANDLE_EVENT, (command) => {
      command.textField(tag(2, DELIMITED), phase);
      command.varint(this.#instance);
      command.varint(tag(1, VARINT));
    });
  }

  close(): void {
    this.#fail = () => {};
    this.#socket.destroy();
  }

  onFrame(frame: WireReader): void {
    if (this.#expected === 'argument') {
      this.#expected = 'method';
      this.#reply(frame);
    } else if (this.#expected === 'answer') this.#done(instanceOf(frame));
    else if (frame.left === 0) this.#expected = 'answer';
    else {
      this.#expected = 'argument';
      this.#method = frame.rest().toString('latin1');
    }
  }

  onOversize(): boolean {
    return false;
  }

  #reply(argument: WireReader): void {
    const method = this.#method;
    if (method === 'kong.response.exit') {
      this.#fail(new Error('a request of the warm-up was refused'));
      return;
    }
    if (method === 'kong.ctx.shared.set') this.#kept = secondField(argument);
    if (method === 'kong.ctx.shared.get') this.#send(this.#kept);
    else this.#send(this.#replies.get(method) ?? this.#replies.get(`${method} ${nameIn(argument)}`) ?? NIL);
  }

  #send(message: Uint8Array): void {
    const frame = Buffer.allocUnsafe(4 + message.length);
    frame.writeUInt32LE(message.length);
    frame.set(message, 4);
    this.#socket.write(frame);
  }

  #call(
    expected: 'answer' | 'method',
    command: number,
    write: (writer: WireWriter) => void,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#expected = expected;
      this.#done = resolve;
      this.#fail = reject;
      this.#send(
        message((writer) => {
          write(writer);
          writer.close(tag(command, DELIMITED), 0);
          writer.varint(1);
          writer.varint(tag(1, VARINT));
        }),
      );
    });
  }
}

/** A message with this one value as field 1. */
export function reply(value: string | number | Readonly<Record<string, string>>): Uint8Array {
  return message((writer) => {
    if (typeof value === 'string') writer.textField(tag(1, DELIMITED), value);
    else if (typeof value !== 'number') writeStruct(value, writer);
    else if (Number.isInteger(value)) {
      writer.varint(value);
      writer.varint(tag(1, VARINT));
    } else {
      writer.double(value);
      writer.varint(tag(1, FIXED64));
    }
  });
}

/** google.protobuf.Struct: a map of names to values, here texts only. */
function writeStruct(texts: Readonly<Record<string, string>>, writer: WireWriter): void {
  for (const [name, text] of Object.entries(texts)) {
    const entry = writer.length;
    const value = writer.length;
    writer.textField(tag(3, DELIMITED), text);
    writer.close(tag(2, DELIMITED), value);
    writer.textField(tag(1, DELIMITED), name);
    writer.close(tag(1, DELIMITED), entry);
  }
}

function message(write: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  write(writer);
  return Buffer.concat(writer.finish());
}

function tag(field: number, type: number): number {
  return (field << 3) | type;
}

/** Field 2 of RpcReturn's instance status; 0 when the answer has none. */
function instanceOf(answer: WireReader): number {
  let id = 0;
  for (let at = answer.tag(); at !== 0; at = answer.tag()) {
    if (at !== tag(START_INSTANCE, DELIMITED)) answer.skip(at);
    else {
      const outer = answer.enter();
      for (let inner = answer.tag(); inner !== 0; inner = answer.tag()) {
        if (inner === tag(2, VARINT)) id = answer.varint();
        else answer.skip(inner);
      }
      answer.leave(outer);
    }
  }
  return id;
}

function nameIn(argument: WireReader): string {
  return argument.tag() === tag(1, DELIMITED) ? argument.text() : '';
}

/** A copy: the frame is the server's to write over. */
function secondField(argument: WireReader): Uint8Array {
  for (let at = argument.tag(); at !== 0; at = argument.tag()) {
    if (at === tag(2, DELIMITED)) return Buffer.from(argument.bytes());
    argument.skip(at);
  }
  return NIL;
}
