import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../listen.js';
import { answerSpecial, type ReceivedRequest } from './answers.js';

/** A running upstream that keeps what reached it. */
export interface Upstream {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Every request whose head arrived, in order. `body…` are of what came of the body. */
  readonly requests: readonly ReceivedRequest[];
  clear(): void;
  close(): Promise<void>;
}

export interface UpstreamOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  readonly host?: string;
}

const KEPT_TEXT_BYTES = 64 * 1024;

/** `GET /_requests` asked of it directly gives the list as JSON. @throws Error with `code` EADDRINUSE for a taken port. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const requests: ReceivedRequest[] = [];
  const server = createServer(
    { maxHeaderSize: 1024 * 1024, keepAliveTimeout: 60_000 },
    (request, response) => {
      handle(request, response, requests).catch(() => response.destroy());
    },
  );
  server.maxHeadersCount = 0;
  const { host = '127.0.0.1' } = options;
  const port = await listen(server, options.port, host);
  return {
    url: `http://${host}:${port}`,
    requests,
    clear: () => requests.splice(0),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  log: ReceivedRequest[],
): Promise<void> {
  const seen = read(request);
  if (request.url === '/_requests') {
    response.writeHead(200, ['Content-Type', 'application/json']);
    response.end(JSON.stringify(log));
    return;
  }
  // Kept before the body is there: a request that is cut in the middle has reached the upstream too.
  const index = log.push(seen) - 1;
  const body = await readAll(request);
  const received = { ...seen, ...describeBody(body) };
  log[index] = received;
  if (await answerSpecial(received, body, response)) return;
  response.writeHead(200, [
    'Content-Type',
    'application/json',
    'X-Upstream',
    'ping-auth development upstream',
  ]);
  response.end(`${JSON.stringify(received, null, 2)}\n`);
}

function read(request: IncomingMessage): ReceivedRequest {
  const { rawHeaders } = request;
  return {
    id: firstHeader(request, 'x-test-id'),
    method: request.method ?? '',
    url: request.url ?? '',
    httpVersion: request.httpVersion,
    headers: rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ''] as const] : [])),
    ...describeBody(Buffer.alloc(0)),
  };
}

function firstHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function describeBody(body: Buffer): Pick<ReceivedRequest, 'bodyLength' | 'bodySha256' | 'bodyText'> {
  return {
    bodyLength: body.length,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    bodyText: body.length > KEPT_TEXT_BYTES ? undefined : utf8(body),
  };
}

function utf8(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
