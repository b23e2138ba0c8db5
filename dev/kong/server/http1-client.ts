import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { untilClose } from '../http/chunked.js';
import { statusText } from '../http/status-lines.js';
import type { ByteReader } from '../net/byte-reader.js';
import type { ClientResponse, ClientSide } from './client-side.js';

/** Writes the answer of one HTTP/1 request. */
export class Http1Client implements ClientSide {
  #continued = false;
  /** The connection cannot carry another request. */
  mustClose: boolean;

  constructor(
    private readonly socket: Socket,
    private readonly reader: ByteReader,
    private readonly version: 1 | 1.1,
    keepAlive: boolean,
    private readonly expectsContinue: () => boolean,
  ) {
    this.mustClose = !keepAlive;
  }

  continue100(): void {
    if (this.#continued || this.version === 1 || !this.expectsContinue()) return;
    this.#continued = true;
    this.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  }

  async send(response: ClientResponse): Promise<void> {
    const { status, headers } = response;
    const sized = headers.some((line) => line.name.toLowerCase() === 'content-length');
    const bodiless = response.headOnly || status === 204 || status === 304;
    const chunked = !sized && !bodiless && status >= 200 && this.version === 1.1;
    if (response.close || (!sized && !bodiless && this.version === 1)) this.mustClose = true;
    const connection = status === 101 ? 'upgrade' : this.mustClose ? 'close' : 'keep-alive';
    const lines = [
      `HTTP/1.1 ${response.statusText ?? statusText(status)}`,
      ...(chunked ? ['Transfer-Encoding: chunked'] : []),
      `Connection: ${connection}`,
      ...headers.map(({ name, value }) => `${name}: ${value}`),
    ];
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
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
