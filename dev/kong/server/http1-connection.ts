import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BrokenBody, ByteReader, chunkedBody, sizedBody, untilClose } from '../http/byte-reader.js';
import { statusText } from '../http/error-pages.js';
import { HeaderLines, HeadRefused, type RequestHead, readRequestHead } from '../http/message-head.js';
import { RequestBody } from '../http/request-body.js';
import { BadUri, nginxUri, splitTarget } from '../http/uri.js';
import type { ConnectionInfo, ReceivedRequest, RequestContext } from '../request-context.js';
import type { ClientResponse, ClientSide } from './answers.js';
import type { Gateway } from './gateway.js';

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
  try {
    const { path, args, requestUri, authority } = splitTarget(head.target);
    return {
      requestLine: head.requestLine,
      method: head.method,
      protocol: head.protocol,
      httpVersion: head.toldVersion,
      requestUri,
      rawPath: path,
      authority,
      args,
      uri: nginxUri(path),
      headers,
      body,
      connection: info,
      keepAlive,
      // Kong asks the upstream for this one only, whatever the client's Connection says.
      upgrade: headers.get('upgrade')?.toLowerCase() === 'websocket' ? 'websocket' : undefined,
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
  return head.version < 1.1 ? connection.includes('keep-alive') : !/\bclose\b/.test(connection);
}

/** nginx's own error responses, before any plugin. */
async function refuse(
  errorResponse: HeadRefused,
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
    headers: new HeaderLines(errorResponse.headers),
    body,
    connection: info,
    keepAlive: false,
    upgrade: undefined,
  });
  await gateway.refuse(context, client, errorResponse);
}

/** Writes the answer of one HTTP/1 request. */
export class Http1Client implements ClientSide {
  #continued = false;
  /** The connection cannot carry another request. */
  mustClose: boolean;

  constructor(
    private readonly socket: Socket,
    private readonly reader: ByteReader,
    private readonly version: RequestHead['version'],
    keepAlive: boolean,
    private readonly expectsContinue: () => boolean,
  ) {
    this.mustClose = !keepAlive;
  }

  continue100(): void {
    if (this.#continued || this.version < 1.1 || !this.expectsContinue()) return;
    this.#continued = true;
    this.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  }

  async send(response: ClientResponse): Promise<void> {
    const { status, headers } = response;
    const sized = headers.some((line) => line.name.toLowerCase() === 'content-length');
    const bodiless = response.headOnly || status === 204 || status === 304;
    const chunked = !sized && !bodiless && status >= 200 && this.version === 1.1;
    if (response.close || (!sized && !bodiless && this.version < 1.1)) this.mustClose = true;
    const connection = status === 101 ? 'upgrade' : this.mustClose ? 'close' : 'keep-alive';
    const lines = [
      `HTTP/1.1 ${response.statusText ?? statusText(status)}`,
      ...(chunked ? ['Transfer-Encoding: chunked'] : []),
      `Connection: ${connection}`,
      ...headers.map(({ name, value }) => `${name}: ${value}`),
    ];
    if (this.version >= 1) this.socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    if (!bodiless) await this.#writeBody(response.body, chunked);
  }

  async #writeBody(body: ClientResponse['body'], chunked: boolean): Promise<void> {
    try {
      for await (const part of Buffer.isBuffer(body) ? [body] : body) {
        if (part.length === 0) continue;
        if (chunked) await this.#write(Buffer.from(`${part.length.toString(16)}\r\n`));
        await this.#write(part);
        if (chunked) await this.#write(Buffer.from('\r\n'));
      }
    } catch (error) {
      // The upstream did not finish: the client sees that from the connection.
      this.mustClose = true;
      this.socket.end();
      throw error;
    }
    if (chunked) await this.#write(Buffer.from('0\r\n\r\n'));
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.socket.destroyed || this.socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.socket.once('drain', resolve);
      this.socket.once('close', resolve);
    });
  }

  drop(): void {
    this.mustClose = true;
    this.socket.destroy();
  }

  async hang(): Promise<void> {
    this.mustClose = true;
    while (!this.reader.ended) await this.reader.more();
  }

  async tunnel(response: ClientResponse, upstream: Duplex, fromUpstream: ByteReader): Promise<void> {
    this.mustClose = true;
    await this.send({ ...response, body: Buffer.alloc(0) });
    const copy = async (from: ByteReader, to: Duplex): Promise<void> => {
      for await (const part of untilClose(from)) to.write(part);
      to.end();
    };
    await Promise.all([copy(fromUpstream, this.socket), copy(this.reader, upstream)]);
  }
}
