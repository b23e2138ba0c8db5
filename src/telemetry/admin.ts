import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { VERSION } from '../version.js';
import type { MetricsPage } from './metrics.js';

export interface AdminCallbacks {
  readonly metrics: () => Promise<MetricsPage>;
  readonly ready: () => Readiness | Promise<Readiness>;
}

export interface Readiness {
  readonly ready: boolean;
  /** Name of a check → what was found, e.g. `socket: "open"`. Never a secret, never a path of the file system. */
  readonly checks: Readonly<Record<string, string>>;
}

export interface AdminServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const MAX_IDLE_CONNECTIONS = 64;
/** Time-outs in milliseconds: for a request, for its headers, between two requests; how often Node checks them. */
const SERVER_OPTIONS = {
  maxHeaderSize: 8192,
  requestTimeout: 10_000,
  headersTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
};

/**
 * Connections on which no request is being answered. One that is too many closes the one that has been idle longest, so that
 * idle connections cannot keep the monitoring out.
 */
class IdleConnections {
  readonly #oldestFirst = new Set<Socket>();

  enter(socket: Socket): void {
    if (socket.destroyed) return;
    this.#oldestFirst.add(socket);
    if (this.#oldestFirst.size > MAX_IDLE_CONNECTIONS) {
      const [oldest] = this.#oldestFirst;
      oldest?.destroy();
    }
  }

  leave(socket: Socket): void {
    this.#oldestFirst.delete(socket);
  }
}

/**
 * Serves `/metrics`, `/health/live` and `/health/ready`. There is no authentication: bind it to an address that only
 * the monitoring reaches.
 * @throws when the address cannot be bound.
 */
export async function startAdmin(
  host: string,
  port: number,
  callbacks: AdminCallbacks,
): Promise<AdminServer> {
  const idle = new IdleConnections();
  const server = createServer(SERVER_OPTIONS, (request, response) => {
    idle.leave(request.socket);
    response.once('close', () => idle.enter(request.socket));
    answer(request, response, callbacks).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, 500, 'text/plain; charset=utf-8', 'internal error\n');
    });
  });
  server.on('connection', (socket: Socket) => {
    idle.enter(socket);
    socket.once('close', () => idle.leave(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  // The process must be able to end while a scraper keeps its connection.
  server.unref();
  server.on('error', () => {});
  const bound = server.address() as AddressInfo;
  return {
    host: bound.address,
    port: bound.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, callbacks: AdminCallbacks) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return send(response, 405, 'text/plain; charset=utf-8', 'method not allowed\n');
  }
  switch (request.url?.split('?', 1)[0]) {
    case '/metrics': {
      const page = await callbacks.metrics();
      return send(response, 200, page.contentType, page.text);
    }
    case '/health/live':
      return sendJson(response, 200, { status: 'live', version: VERSION });
    case '/health/ready': {
      const { ready, checks } = await callbacks.ready();
      return sendJson(response, ready ? 200 : 503, {
        status: ready ? 'ready' : 'not ready',
        version: VERSION,
        checks,
      });
    }
    default:
      return send(response, 404, 'text/plain; charset=utf-8', '/metrics /health/live /health/ready\n');
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
