import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Service } from '../config/declarative-config.js';
import { ByteReader, chunkedBody, ReadTimeout, sizedBody, untilClose } from '../http/byte-reader.js';
import type { HeaderLine } from '../http/message-head.js';
import type { UpstreamResponse, UpstreamTarget } from '../request-context.js';

/** No usable answer from the upstream. `status` is what nginx makes of it. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  constructor(
    readonly status: 500 | 502 | 503 | 504,
    message: string,
    /** Nothing was sent: another try cannot repeat a request. */
    readonly beforeSending: boolean,
  ) {
    super(message);
  }
}

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

/** HTTP/1.1 to upstreams. Connections are kept and used again. */
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

export interface UpstreamHead {
  readonly status: number;
  readonly statusText: string | undefined;
  readonly version: string;
  readonly headers: readonly HeaderLine[];
}

/** Reads the head of the upstream's answer. @throws UpstreamError */
export async function readUpstreamHead(
  reader: ByteReader,
  maxSize: number,
  timeoutMs: number,
): Promise<UpstreamHead> {
  const lines: string[] = [];
  let size = 0;
  for (;;) {
    const at = reader.view().indexOf(0x0a);
    if (size + (at < 0 ? reader.size : at) > maxSize) {
      throw new UpstreamError(502, 'upstream sent too big header', false);
    }
    if (at < 0) {
      // What cannot become a status line is the body of an HTTP/0.9 answer.
      const begun = reader.view().toString('latin1', 0, 5);
      if (lines.length === 0 && !'HTTP/'.startsWith(begun)) return bare();
      await need(reader, timeoutMs);
      continue;
    }
    const line = reader.view().subarray(0, at).toString('latin1').replace(/\r$/, '');
    // Anything that is no status line is taken as the body of an HTTP/0.9 answer.
    if (lines.length === 0 && !/^HTTP\/\d\.\d +\d{3}( |$)/.test(line)) return bare();
    reader.skip(at + 1);
    size += at + 1;
    if (line === '') break;
    lines.push(line);
  }
  const [statusLine = '', ...rest] = lines;
  const [, version = '', statusText = ''] = /^(HTTP\/\d\.\d) +(.*)$/.exec(statusLine) ?? [];
  const headers = firstLines(rest.map(parseLine));
  checkFraming(headers);
  return { status: Number(statusText.slice(0, 3)), statusText, version, headers };
}

/** nginx takes these from the upstream once: the first line stays. */
const FIRST_ONLY = new Set(
  'server date content-type refresh last-modified expires etag location status'.split(' '),
);

function firstLines(lines: readonly HeaderLine[]): HeaderLine[] {
  const names = lines.map(({ name }) => name.toLowerCase());
  return lines.filter((_, i) => {
    const name = names[i] ?? '';
    return !FIRST_ONLY.has(name) || names.indexOf(name) === i;
  });
}

function bare(): UpstreamHead {
  return { status: 0, statusText: undefined, version: 'HTTP/0.9', headers: [] };
}

async function need(reader: ByteReader, timeoutMs: number): Promise<void> {
  try {
    if (await reader.more(timeoutMs)) return;
  } catch (error) {
    if (error instanceof ReadTimeout) throw new UpstreamError(504, 'upstream timed out', false);
    throw error;
  }
  const what = reader.error === undefined ? 'upstream prematurely closed connection' : reader.error.message;
  throw new UpstreamError(502, `${what} while reading response header from upstream`, false);
}

function parseLine(line: string): HeaderLine {
  const colon = line.indexOf(':');
  if (colon <= 0) throw new UpstreamError(502, 'upstream sent invalid header', false);
  return { name: line.slice(0, colon), value: line.slice(colon + 1).replace(/^ +| +$/g, '') };
}

function checkFraming(headers: readonly HeaderLine[]): void {
  const count = (name: string): number => headers.filter((line) => line.name.toLowerCase() === name).length;
  if (count('content-length') > 1) {
    throw new UpstreamError(502, 'upstream sent duplicate header line: "Content-Length"', false);
  }
  if (count('content-length') > 0 && count('transfer-encoding') > 0) {
    throw new UpstreamError(
      502,
      'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time',
      false,
    );
  }
}
