// A policy provider that answers with whatever bytes a test dictates, over real TLS sockets.
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** One request as it arrived. */
export interface Received {
  readonly head: string;
  readonly body: string;
  /** Counted from 0 over all connections. */
  readonly index: number;
  /** Number of the connection, counted from 0, and how many requests came over it before. */
  readonly connection: number;
  readonly onConnection: number;
}

export type Answering = (socket: Socket, request: Received) => void;

export interface HostileProvider {
  readonly port: number;
  /** Base URL with the address 127.0.0.1. */
  readonly url: string;
  readonly received: Received[];
  /** Connections accepted so far, TLS finished or not. */
  readonly accepted: number;
  /** Whether the connection with this number is still open. */
  isOpen(connection: number): boolean;
  /** What to do from now on. */
  answer: Answering;
  /** Destroys all sockets and stops listening. */
  close(): Promise<void>;
}

/** With `tls` undefined it is a plain TCP server. `port` 0: any. */
export async function startHostileProvider(
  tls: TlsOptions | undefined,
  answering: Answering,
  port = 0,
): Promise<HostileProvider> {
  /** As accepted, and as the test sees them (after TLS). */
  const raw = new Set<Socket>();
  const sockets = new Map<number, Socket>();
  const received: Received[] = [];
  let accepted = 0;
  let connections = 0;
  const provider = { received, answer: answering };

  const onConnection = (socket: Socket) => {
    const connection = connections++;
    sockets.set(connection, socket);
    socket.on('close', () => sockets.delete(connection));
    let onThis = 0;
    let buffered = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (let end = endOfRequest(buffered); end !== undefined; end = endOfRequest(buffered)) {
        const [head = '', ...body] = buffered.subarray(0, end).toString('utf8').split('\r\n\r\n');
        buffered = buffered.subarray(end);
        const request = {
          head,
          body: body.join('\r\n\r\n'),
          index: received.length,
          connection,
          onConnection: onThis++,
        };
        received.push(request);
        provider.answer(socket, request);
      }
    });
  };
  const server: Server = tls ? createTlsServer(tls, onConnection) : createTcpServer(onConnection);
  server.on('connection', (socket: Socket) => {
    accepted++;
    raw.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => raw.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.defineProperties(provider, {
    port: { value: actual },
    url: { value: `${tls ? 'https' : 'http'}://127.0.0.1:${actual}` },
    accepted: { get: () => accepted },
    isOpen: { value: (connection: number) => sockets.has(connection) },
    close: {
      value: () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          for (const socket of [...sockets.values(), ...raw]) socket.destroy();
        }),
    },
  }) as HostileProvider;
}

/** A whole HTTP response. `headers` replace the usual ones; the length is announced unless they say otherwise. */
export function response(status: string, body: string | object, headers?: readonly string[]): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const usual = ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`];
  return `HTTP/1.1 ${status}\r\n${(headers ?? usual).join('\r\n')}\r\n\r\n${text}`;
}

function endOfRequest(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const length = /content-length: (\d+)/i.exec(bytes.subarray(0, headEnd).toString('latin1'))?.[1] ?? '0';
  const end = headEnd + 4 + Number(length);
  return bytes.length >= end ? end : undefined;
}
