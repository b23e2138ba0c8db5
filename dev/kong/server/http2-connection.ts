import http2 from 'node:http2';
import { Readable } from 'node:stream';
import { type HeaderLine, HeaderLines, HeadRefused, repeatsUnique } from '../http/message-head.js';
import { RequestBody } from '../http/request-body.js';
import { nginxUri, splitTarget } from '../http/uri.js';
import type { ConnectionInfo, ReceivedRequest } from '../request-context.js';
import type { ClientResponse, ClientSide } from './answers.js';
import type { Gateway } from './gateway.js';

const FORBIDDEN = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection']);

/** One request of an HTTP/2 connection. */
export async function serveHttp2Stream(
  stream: http2.ServerHttp2Stream,
  raw: readonly string[],
  info: ConnectionInfo,
  gateway: Gateway,
): Promise<void> {
  const pseudo = new Map<string, string>();
  const lines: HeaderLine[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (name.startsWith(':')) pseudo.set(name, value);
    else lines.push({ name, value });
  }
  const client = new Http2Client(stream);
  const headers = joinCookies(lines);
  const authority = pseudo.get(':authority');
  const host = headers.get('host');
  // Pseudo-headers come first, and nginx makes a Host of this one where it stands.
  if (host === undefined && authority !== undefined)
    headers.lines.unshift({ name: 'host', value: authority });
  const method = pseudo.get(':method') ?? 'GET';
  const target = pseudo.get(':path') ?? '/';
  const { path, args, requestUri } = splitTarget(target);
  const received: ReceivedRequest = {
    requestLine: `${method} ${target} HTTP/2.0`,
    method,
    protocol: 'HTTP/2.0',
    httpVersion: 2,
    requestUri,
    rawPath: path,
    args,
    uri: nginxUri(path),
    headers,
    body: requestBody(stream, headers, gateway),
    connection: info,
    keepAlive: true,
    upgrade: undefined,
  };
  const context = gateway.context(received);
  if (repeatsUnique(headers.lines))
    return gateway.refuse(context, client, new HeadRefused(400, 'bad_request', headers.lines));
  await gateway.handle(context, client);
}

function requestBody(stream: http2.ServerHttp2Stream, headers: HeaderLines, gateway: Gateway): RequestBody {
  const empty = stream.endAfterHeaders;
  return new RequestBody(
    {
      chunked: !empty && !headers.has('content-length'),
      open: () => (empty ? Readable.from([]) : stream) as AsyncIterable<Buffer>,
      preread: 0,
      beforeReading: () => undefined,
    },
    gateway.settings.bodyBufferSize,
    gateway.settings.prefix,
    (file) => gateway.log.write('warn', `a client request body is buffered to a temporary file ${file}`),
  );
}

/** HTTP/2 may split cookies; nginx joins them. */
function joinCookies(lines: readonly HeaderLine[]): HeaderLines {
  const headers = new HeaderLines(lines.filter((line) => line.name !== 'cookie'));
  const cookies = lines.filter((line) => line.name === 'cookie').map((line) => line.value);
  if (cookies.length > 0) headers.add('cookie', cookies.join('; '));
  return headers;
}

class Http2Client implements ClientSide {
  constructor(private readonly stream: http2.ServerHttp2Stream) {
    stream.on('error', () => undefined);
  }

  continue100(): void {}

  async send(response: ClientResponse): Promise<void> {
    const { stream } = this;
    if (stream.destroyed) return;
    const headers: http2.OutgoingHttpHeaders = { ':status': response.status };
    for (const { name, value } of response.headers) {
      const key = name.toLowerCase();
      // nginx sends it and the client's HTTP/2 library breaks the stream off.
      if (FORBIDDEN.has(key)) return this.#breakOff(http2.constants.NGHTTP2_PROTOCOL_ERROR);
      const known = headers[key];
      headers[key] =
        known === undefined ? value : [...(Array.isArray(known) ? known : [String(known)]), value];
    }
    if (response.status === 204) delete headers['content-length'];
    const bodiless = response.headOnly || response.status === 204 || response.status === 304;
    // Node would add a Date of its own; the option is not in its types.
    const options: http2.ServerStreamResponseOptions = { endStream: bodiless };
    stream.respond(headers, Object.assign(options, { sendDate: false }));
    if (bodiless) return;
    try {
      for await (const part of Buffer.isBuffer(response.body) ? [response.body] : response.body) {
        if (!stream.write(part)) {
          await new Promise<void>((resolve) => {
            stream.once('drain', resolve);
            stream.once('close', resolve);
          });
        }
      }
    } catch (error) {
      this.#breakOff(http2.constants.NGHTTP2_INTERNAL_ERROR);
      throw error;
    }
    stream.end();
  }

  #breakOff(code: number): void {
    if (!this.stream.closed) this.stream.close(code);
  }

  drop(): void {
    this.#breakOff(http2.constants.NGHTTP2_CANCEL);
  }

  async hang(): Promise<void> {
    if (!this.stream.closed) await new Promise((resolve) => this.stream.once('close', resolve));
  }

  async tunnel(): Promise<void> {
    this.#breakOff(http2.constants.NGHTTP2_INTERNAL_ERROR);
  }
}
