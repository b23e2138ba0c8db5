import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { type Dispatcher, Pool } from 'undici';
import { FrameCutter, frame } from '../../dev/kong-connection/frames.js';
import { bytesField, bytesOf, END_OF_EVENT, intField, intOf, NOTHING, readFields } from './wire.js';
import { type Answer, access, response, type YardstickEvent } from './yardstick-phases.js';

/**
 * The least that does the whole job of ping-auth over ProtoBuf:1: the same reads from Kong, both payloads, two POSTs through
 * undici, both answers parsed, the request context and the changes written. It checks nothing and so protects nothing: a measure, never
 * a server. Argument: its socket.
 */
const COMMANDS = { start: 33, close: 35, event: 36 } as const;

/** A policy provider as an instance knows it: where it is, and what every call to it holds. */
class Provider {
  readonly #pool: Pool;
  readonly #path: string;
  readonly #headers: string[];

  constructor(config: Readonly<Record<'service_url' | 'secret_header_name' | 'shared_secret', string>>) {
    const { origin, pathname } = new URL(config.service_url);
    this.#pool = new Pool(origin, { connections: 64 });
    this.#path = `${pathname.replace(/\/$/, '')}/sideband/`;
    const json = 'application/json';
    const secret = [config.secret_header_name, config.shared_secret];
    this.#headers = ['content-type', json, 'accept', json, ...secret];
  }

  post(phase: string, payload: object, then: (answer: Answer) => void): void {
    const call: Dispatcher.DispatchOptions = {
      path: this.#path + phase,
      method: 'POST',
      headers: this.#headers,
      body: Buffer.from(JSON.stringify(payload)),
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#pool.dispatch(call, new WholeAnswer(then));
  }
}

class WholeAnswer implements Dispatcher.DispatchHandler {
  readonly #then: (answer: Answer) => void;
  readonly #chunks: Buffer[] = [];

  constructor(then: (answer: Answer) => void) {
    this.#then = then;
  }

  onRequestStart(): void {}

  onResponseStart(): void {}

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [first = NOTHING, ...more] = this.#chunks;
    this.#then(JSON.parse((more.length === 0 ? first : Buffer.concat(this.#chunks)).toString()));
  }

  onResponseError(_: unknown, error: Error): void {
    throw error;
  }
}

const instances = new Map<number, Provider>();
/** Kong keeps an id when the server is restarted, so none comes twice. */
let lastId = Date.now() % 1e9;

/** One connection from Kong, one event at a time. */
class Connection implements YardstickEvent {
  readonly #socket: Socket;
  #sequence = 0;
  #provider: Provider | undefined;
  /** Replies that Kong still owes, those that have come, and who waits for them. */
  #owed = 0;
  #replies: Buffer[] = [];
  #then: (replies: Buffer[]) => void = ignore;

  constructor(socket: Socket) {
    this.#socket = socket;
    const frames = new FrameCutter();
    const take = (payload: Buffer) => this.#take(payload);
    socket.on('data', (chunk: Buffer) => frames.push(chunk, take));
    socket.on('error', ignore);
  }

  read(calls: Buffer, count: number, then: (replies: Buffer[]) => void): void {
    this.#await(count, then);
    this.#socket.write(calls);
  }

  post(phase: 'request' | 'response', payload: object, then: (answer: Answer) => void): void {
    this.#provider?.post(phase, payload, then);
  }

  finish(calls: Buffer[]): void {
    this.#await(calls.length, ignore);
    this.#socket.write(Buffer.concat([...calls, END_OF_EVENT, this.#returned()]));
  }

  exit(call: Buffer): void {
    this.#socket.write(call);
  }

  #await(count: number, then: (replies: Buffer[]) => void): void {
    this.#owed = count;
    this.#then = then;
  }

  #take(payload: Buffer): void {
    if (this.#owed === 0) {
      this.#obey(payload);
      return;
    }
    this.#replies.push(payload);
    if (--this.#owed > 0) return;
    const replies = this.#replies;
    this.#replies = [];
    this.#then(replies);
  }

  #obey(call: Buffer): void {
    let command = 0;
    let argument: Buffer = NOTHING;
    readFields(call, (field, value) => {
      if (typeof value === 'number') this.#sequence = value;
      else {
        command = field;
        argument = value;
      }
    });
    if (command === COMMANDS.event) this.#run(argument);
    else if (command === COMMANDS.start) {
      instances.set(++lastId, new Provider(JSON.parse(bytesOf(argument, 2).toString())));
      const status = Buffer.concat([bytesField(1, 'ping-auth'), intField(2, lastId)]);
      this.#socket.write(this.#returned(bytesField(COMMANDS.start, status)));
    } else {
      instances.delete(intOf(argument, 1));
      this.#socket.write(this.#returned());
    }
  }

  #run(event: Buffer): void {
    let phase = '';
    readFields(event, (_, value) => {
      if (typeof value === 'number') this.#provider = instances.get(value);
      else phase = value.toString('latin1');
    });
    if (phase === 'access') access(this);
    else response(this);
  }

  #returned(result: Buffer = NOTHING): Buffer {
    return frame(Buffer.concat([intField(1, this.#sequence), result]));
  }
}

function ignore(): void {}

const [socketPath = ''] = process.argv.slice(2);
createServer((socket) => new Connection(socket)).listen(socketPath, () => chmodSync(socketPath, 0o777));
