import type { Duplex } from 'node:stream';
import type { HeaderLine } from '../header-lines.js';
import type { ByteReader } from '../net/byte-reader.js';

/** An answer ready to go: every header is there except those that frame the message on the client's protocol. */
export interface ClientResponse {
  readonly status: number;
  /** The upstream's own status and reason; unset: nginx's. */
  readonly statusText: string | undefined;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** The request was a HEAD: no body goes out. */
  readonly headOnly: boolean;
  /** The connection is closed behind it. */
  readonly close: boolean;
}

/** The client of one request. */
export interface ClientSide {
  /** Sent before the body is read or thrown away, if the client waits for it. */
  continue100(): void;
  send(response: ClientResponse): Promise<void>;
  /** Closes without an answer (nginx's 444). */
  drop(): void;
  /** Never answers; returns when the client has gone. */
  hang(): Promise<void>;
  /** After a 101: bytes go both ways until one side ends. */
  tunnel(response: ClientResponse, upstream: Duplex, fromUpstream: ByteReader): Promise<void>;
}
