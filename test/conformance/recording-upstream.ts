import { createServer, type Server, type Socket } from 'node:net';
import { listen } from '../../dev/listen.js';
import type { Names } from './names.js';
import type { RecordedUpstream } from './recordings.js';

/** What the upstream does once a request is there. */
export interface UpstreamAnswer {
  readonly parts: readonly (Buffer | { readonly waitMs: number })[];
  readonly close: boolean;
}

interface Expected {
  readonly names: Names;
  readonly answer: UpstreamAnswer;
  readonly seen: RecordedUpstream[];
}

const OK: UpstreamAnswer = {
  parts: [Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok')],
  close: false,
};

/** A raw TCP upstream that keeps the bytes it gets. Whose request it is, it knows from X-Forwarded-Host. */
export class RecordingUpstream {
  readonly #cases = new Map<string, Expected>();
  port = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
      new UpstreamConnection(socket, (host) => this.#cases.get(host));
    });
  }

  async listen(): Promise<void> {
    this.port = await listen(this.#server);
  }

  /** @param forwardedHost what X-Forwarded-Host will say, if it is not the case's host */
  expect(names: Names, answer: UpstreamAnswer = OK, forwardedHost = names.host): readonly RecordedUpstream[] {
    const seen: RecordedUpstream[] = [];
    this.#cases.set(forwardedHost, { names, answer, seen });
    return seen;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

class UpstreamConnection {
  #buffer = Buffer.alloc(0);
  #owner: Expected | undefined;
  #tunnel = false;
  /** The last entry stands for a request whose body is still coming. */
  #incomplete = false;

  constructor(
    private readonly socket: Socket,
    private readonly find: (host: string) => Expected | undefined,
  ) {
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#read();
    });
    socket.on('end', () => this.#leftOver());
  }

  #read(): void {
    if (this.#tunnel) {
      this.#echo();
      return;
    }
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#buffer.length > 0 && this.#owner !== undefined) this.#leftOver();
      return;
    }
    const [line = '', ...headers] = this.#buffer.subarray(0, end).toString('latin1').split('\r\n');
    const header = (name: string): string | undefined =>
      headers.find((text) => text.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2);
    const owner = this.find(header('x-forwarded-host') ?? '');
    if (owner === undefined) {
      this.socket.destroy();
      return;
    }
    this.#owner = owner;
    const length = Number(header('content-length') ?? 0);
    const body = this.#buffer.subarray(end + 4);
    const request: RecordedUpstream = {
      line: owner.names.seen(line),
      headers: headers.map((text) => owner.names.seen(text)).sort(),
    };
    if (this.#incomplete) owner.seen.pop();
    this.#incomplete = body.length < length;
    if (this.#incomplete) {
      owner.seen.push({ ...request, incomplete: true, body: body.toString('latin1') });
      return;
    }
    this.#buffer = body.subarray(length);
    const whole = body.subarray(0, length);
    owner.seen.push(whole.length > 0 ? { ...request, body: owner.names.body(whole) } : request);
    if (header('upgrade') !== undefined) {
      this.#upgrade();
      return;
    }
    void this.#answer(owner.answer);
    if (this.#buffer.length > 0) this.#read();
  }

  #leftOver(): void {
    const rest = this.#buffer.toString('latin1');
    if (rest !== '' && this.#owner !== undefined && !this.#owner.seen.at(-1)?.incomplete) {
      this.#owner.seen.push({ rest });
      // What comes behind would be read as the end of this: no further request on the connection.
      this.#buffer = Buffer.alloc(0);
      this.socket.destroy();
    }
  }

  async #answer({ parts, close }: UpstreamAnswer): Promise<void> {
    for (const part of parts) {
      if (Buffer.isBuffer(part)) this.socket.write(part);
      else await new Promise((resolve) => setTimeout(resolve, part.waitMs));
    }
    if (close) this.socket.end();
  }

  #upgrade(): void {
    this.#tunnel = true;
    this.socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
    );
    if (this.#buffer.length > 0) this.#echo();
  }

  #echo(): void {
    const text = this.#buffer.toString('latin1');
    this.#buffer = Buffer.alloc(0);
    const seen = this.#owner?.seen;
    const last = seen?.at(-1);
    if (seen !== undefined && last !== undefined) seen[seen.length - 1] = { ...last, tunnel: text };
    this.socket.write(`echo:${text}`);
  }
}
