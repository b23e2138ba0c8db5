import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Service } from '../config/entities.js';
import { chunkedBody, sizedBody, untilClose } from '../http/chunked.js';
import { ByteReader } from '../net/byte-reader.js';
import type { UpstreamTarget } from '../request-context.js';
import { UpstreamError } from './upstream-error.js';
import { readUpstreamHead, type UpstreamHead } from './upstream-head-reader.js';
import type { UpstreamResponse } from './upstream-response.js';

export interface UpstreamExchange {
  readonly response: UpstreamResponse;
  /** For an upgrade: the connection as it is after the head. */
  readonly socket: Socket;
  readonly reader: ByteReader;
}

interface Connection {
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly reused: boolean;
}

/** Speaks HTTP/1.1 to upstreams. Connections are kept and used again. */
export class UpstreamClient {
  readonly #idle = new Map<string, Connection[]>();
  readonly #open = new Set<Socket>();

  constructor(
    private readonly maxHeadSize: number,
    private readonly keepAlive: boolean,
  ) {}

  /** Sends the request and reads the answer's head. @throws UpstreamError */
  async send(
    target: UpstreamTarget,
    service: Service,
    head: Buffer,
    body: Buffer | undefined,
    method: string,
  ): Promise<UpstreamExchange> {
    const key = `${target.scheme}://${target.host}:${target.port}`;
    const connection = await this.#take(key, target, service);
    const { socket, reader } = connection;
    try {
      // One write: a stand-in's upstreams may look at the first packet only.
      socket.write(body === undefined || body.length === 0 ? head : Buffer.concat([head, body]));
      const answer = await readUpstreamHead(reader, this.maxHeadSize, service.readTimeout);
      const content = this.#body(answer, reader, method, service.readTimeout, (whole) => {
        if (whole && this.keepAlive) this.#give(key, connection);
        else socket.destroy();
      });
      const { status, statusText, headers } = answer;
      return { response: { status, statusText, headers, body: content }, socket, reader };
    } catch (error) {
      socket.destroy();
      // The upstream closed a kept connection just then: the request goes out once more on a new one.
      if (connection.reused && error instanceof UpstreamError && error.status === 502 && reader.size === 0) {
        this.#drop(key);
        return this.send(target, service, head, body, method);
      }
      throw error;
    }
  }

  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async *#body(
    answer: UpstreamHead,
    reader: ByteReader,
    method: string,
    timeoutMs: number,
    done: (keep: boolean) => void,
  ): AsyncGenerator<Buffer> {
    const header = (name: string): string | undefined =>
      answer.headers.find((line) => line.name.toLowerCase() === name)?.value.toLowerCase();
    const length = header('content-length');
    const chunked = header('transfer-encoding') === 'chunked';
    const none = method === 'HEAD' || answer.status === 204 || answer.status === 304;
    const framed = none || chunked || length !== undefined;
    let whole = false;
    try {
      if (none) yield* [];
      else if (chunked) yield* chunkedBody(reader, timeoutMs);
      else if (length !== undefined) yield* sizedBody(reader, Number(length), timeoutMs);
      else yield* untilClose(reader, timeoutMs);
      whole =
        framed && answer.version === 'HTTP/1.1' && header('connection') !== 'close' && reader.size === 0;
    } finally {
      done(whole);
    }
  }

  async #take(key: string, target: UpstreamTarget, service: Service): Promise<Connection> {
    for (let idle = this.#idle.get(key)?.pop(); idle !== undefined; idle = this.#idle.get(key)?.pop()) {
      if (!idle.reader.ended && !idle.socket.destroyed) return { ...idle, reused: true };
    }
    await resolves(target.host);
    return new Promise((resolve, reject) => {
      const secure = target.scheme === 'https';
      const options = { host: target.host, port: target.port };
      // Kong does not verify upstream certificates unless it is told to.
      const socket = secure
        ? connectTls({ ...options, rejectUnauthorized: false, servername: target.host })
        : connect(options);
      const timer = setTimeout(() => fail(504, 'upstream timed out'), service.connectTimeout);
      const fail = (status: 502 | 504, message: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new UpstreamError(status, `${message} while connecting to upstream`, true));
      };
      const refuse = (error: NodeJS.ErrnoException): void => fail(502, `connect() failed (${error.code})`);
      socket.once('error', refuse);
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        socket.off('error', refuse);
        socket.setNoDelay(true);
        this.#open.add(socket);
        socket.on('close', () => this.#open.delete(socket));
        resolve({ socket, reader: new ByteReader(socket), reused: false });
      });
    });
  }

  #give(key: string, connection: Connection): void {
    const idle = this.#idle.get(key) ?? [];
    idle.push(connection);
    this.#idle.set(key, idle);
  }

  #drop(key: string): void {
    for (const { socket } of this.#idle.get(key) ?? []) socket.destroy();
    this.#idle.delete(key);
  }
}

async function resolves(host: string): Promise<void> {
  try {
    await lookup(host);
  } catch {
    throw new UpstreamError(503, 'name resolution failed', true);
  }
}
