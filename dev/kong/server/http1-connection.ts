import type { Socket } from 'node:net';
import { HeaderLines } from '../header-lines.js';
import { BrokenBody, chunkedBody, sizedBody } from '../http/chunked.js';
import { RequestBody } from '../http/request-body.js';
import { HeadRefused, type RequestHead, readRequestHead } from '../http/request-head.js';
import { BadUri, nginxUri, splitTarget } from '../http/uri.js';
import { ByteReader } from '../net/byte-reader.js';
import type { ConnectionInfo, ReceivedRequest, RequestContext } from '../request-context.js';
import type { Gateway } from './gateway.js';
import { Http1Client } from './http1-client.js';

/** nginx's first header buffer: what of the body fits behind the head counts as preread. */
const FIRST_BUFFER = 1024;
const LINGER_MS = 2000;

/** Serves the requests of one HTTP/1 connection, one after the other. */
export async function serveHttp1(socket: Socket, info: ConnectionInfo, gateway: Gateway): Promise<void> {
  const reader = new ByteReader(socket);
  socket.setNoDelay(true);
  while (!socket.destroyed) {
    let again: boolean;
    try {
      const head = await readRequestHead(reader, gateway.settings.limits);
      if (head === undefined) break;
      again = await serveOne(head, socket, reader, info, gateway);
    } catch (error) {
      if (!(error instanceof HeadRefused)) throw error;
      await refuse(error, socket, reader, info, gateway);
      again = false;
    }
    if (!again) break;
  }
  socket.end();
  // As nginx lingers: what still comes in is thrown away for a while, so that the answer is not lost to a reset.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

async function serveOne(
  head: RequestHead,
  socket: Socket,
  reader: ByteReader,
  info: ConnectionInfo,
  gateway: Gateway,
): Promise<boolean> {
  let context: RequestContext | undefined;
  const preread = Math.max(0, Math.min(reader.size, FIRST_BUFFER - head.length));
  const keepAlive = wantsKeepAlive(head);
  const client = new Http1Client(socket, reader, head.version, keepAlive, () => {
    return context?.headers.get('expect')?.toLowerCase() === '100-continue';
  });
  const chunked = head.headers.some((line) => line.name.toLowerCase() === 'transfer-encoding');
  const body = new RequestBody(
    {
      chunked,
      open: (length) => (chunked ? chunkedBody(reader) : sizedBody(reader, length ?? 0)),
      preread,
      beforeReading: () => client.continue100(),
    },
    gateway.settings.bodyBufferSize,
    gateway.settings.prefix,
    (file) => gateway.log.write('warn', `a client request body is buffered to a temporary file ${file}`),
  );
  context = gateway.context(receive(head, body, info, keepAlive));
  await gateway.handle(context, client);
  if (client.mustClose) return false;
  try {
    if (!body.wasRead) await body.discard(context.contentLength);
  } catch (error) {
    if (error instanceof BrokenBody) return false;
    throw error;
  }
  return true;
}

function receive(
  head: RequestHead,
  body: RequestBody,
  info: ConnectionInfo,
  keepAlive: boolean,
): ReceivedRequest {
  const headers = new HeaderLines(head.headers);
  const connection = headers.get('connection') ?? '';
  try {
    const { path, args, requestUri } = splitTarget(head.target);
    return {
      requestLine: head.requestLine,
      method: head.method,
      protocol: head.protocol,
      httpVersion: head.version,
      requestUri,
      rawPath: path,
      args,
      uri: nginxUri(path),
      headers,
      body,
      connection: info,
      keepAlive,
      upgrade: /\bupgrade\b/i.test(connection) ? headers.get('upgrade') : undefined,
    };
  } catch (error) {
    if (error instanceof BadUri) throw new HeadRefused(400, 'bad_request', head.headers);
    throw error;
  }
}

function wantsKeepAlive(head: RequestHead): boolean {
  const connection = head.headers
    .filter((line) => line.name.toLowerCase() === 'connection')
    .map((line) => line.value.toLowerCase())
    .join(',');
  return head.version === 1 ? connection.includes('keep-alive') : !/\bclose\b/.test(connection);
}

/** nginx's own refusals, before any plugin. */
async function refuse(
  refusal: HeadRefused,
  socket: Socket,
  reader: ByteReader,
  info: ConnectionInfo,
  gateway: Gateway,
): Promise<void> {
  const client = new Http1Client(socket, reader, 1.1, false, () => false);
  const body = new RequestBody(
    { chunked: false, open: () => sizedBody(reader, 0), preread: 0, beforeReading: () => undefined },
    0,
    gateway.settings.prefix,
    () => undefined,
  );
  const context = gateway.context({
    requestLine: '',
    method: 'GET',
    protocol: 'HTTP/1.1',
    httpVersion: 1.1,
    requestUri: '/',
    rawPath: '/',
    args: undefined,
    uri: '/',
    headers: new HeaderLines(refusal.headers),
    body,
    connection: info,
    keepAlive: false,
    upgrade: undefined,
  });
  await gateway.refuse(context, client, refusal);
}
