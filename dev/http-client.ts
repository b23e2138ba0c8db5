import { Agent, type ClientRequestArgs, request as httpRequest } from 'node:http';
import { request as httpsRequest, type Agent as TlsAgent } from 'node:https';

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

export interface ClientRequest {
  /** Default GET. */
  readonly method?: string;
  /** Request target, written as it stands. Default `/`. */
  readonly path?: string;
  /** Sent in this order, repeats and case kept; one character is one byte. Host and Content-Length are added when missing. */
  readonly headers?: HeaderPairs;
  readonly body?: Uint8Array | string;
  /** PEM of the CA for https. */
  readonly ca?: string;
  /** Client certificate for https. */
  readonly identity?: { readonly cert: string; readonly key: string };
  /** Default: a connection of its own for each request. */
  readonly agent?: Agent;
  /** Default 30 s: a client that hangs is a failure, not a wait. */
  readonly timeoutMs?: number;
}

/** An answer as received: repeats, order and case of headers, bytes of the body. */
export interface ClientResponse {
  readonly status: number;
  readonly reason: string;
  readonly httpVersion: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
  /** All values of a header, in order. */
  all(name: string): string[];
  /** First value of a header. */
  header(name: string): string | undefined;
  text(): string;
  json(): unknown;
}

/**
 * One request over a real socket.
 * @throws Error when the connection fails, is reset, ends in the middle of an answer, or nothing comes in time.
 */
export function sendRequest(origin: string, request: ClientRequest = {}): Promise<ClientResponse> {
  const url = new URL(origin);
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  const secure = url.protocol === 'https:';
  const args: ClientRequestArgs & { maxHeaderSize: number } = {
    host: url.hostname,
    port: url.port,
    method: request.method ?? 'GET',
    path: request.path ?? '/',
    headers: completeHeaders(url.host, request.headers ?? [], body).flat(),
    agent: request.agent ?? false,
    maxHeaderSize: 1024 * 1024,
    timeout: request.timeoutMs ?? 30_000,
  };
  return new Promise((resolve, reject) => {
    const sent = secure ? httpsRequest({ ...args, ...tlsOptions(request) }) : httpRequest(args);
    sent.maxHeadersCount = 0;
    sent.once('timeout', () => sent.destroy(new Error(`no answer to ${args.method} ${args.path} in time`)));
    sent.once('error', reject);
    sent.once('response', (received) => {
      const chunks: Buffer[] = [];
      received.on('data', (chunk: Buffer) => chunks.push(chunk));
      received.once('error', reject);
      received.once('end', () =>
        resolve(
          toResponse(
            received.statusCode ?? 0,
            received.statusMessage ?? '',
            received.httpVersion,
            pairsOf(received.rawHeaders),
            Buffer.concat(chunks),
          ),
        ),
      );
    });
    sent.end(body);
  });
}

/** An agent whose connections are kept and reused, at most so many at a time. */
export function keepAliveAgent(maxSockets: number): Agent {
  return new Agent({ keepAlive: true, maxSockets });
}

function tlsOptions(request: ClientRequest): {
  ca?: string;
  cert?: string;
  key?: string;
  agent: TlsAgent | false;
} {
  return {
    ...(request.ca === undefined ? {} : { ca: request.ca }),
    ...(request.identity ?? {}),
    agent: false,
  };
}

function completeHeaders(host: string, headers: HeaderPairs, body: Buffer | undefined): [string, string][] {
  const has = (name: string) => headers.some(([candidate]) => candidate.toLowerCase() === name);
  const complete: [string, string][] = headers.map(([name, value]) => [name, value]);
  if (!has('host')) complete.unshift(['Host', host]);
  if (body !== undefined && !has('content-length') && !has('transfer-encoding')) {
    complete.push(['Content-Length', String(body.length)]);
  }
  return complete;
}

function pairsOf(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ''] as [string, string]] : []));
}

function toResponse(
  status: number,
  reason: string,
  httpVersion: string,
  headers: HeaderPairs,
  body: Buffer,
): ClientResponse {
  const all = (name: string) =>
    headers.filter(([candidate]) => candidate.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return {
    status,
    reason,
    httpVersion,
    headers,
    body,
    all,
    header: (name) => all(name)[0],
    text: () => body.toString('utf8'),
    json: () => JSON.parse(body.toString('utf8')),
  };
}
