import { once } from 'node:events';
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { buffer } from 'node:stream/consumers';

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * One request over a connection of its own. The connection is gone when the promise settles: Node 20 aborts the process when the
 * garbage collector finds a session whose memory was not given back (`current_nghttp2_memory_`).
 */
export async function requestOverHttp2(
  url: string,
  ca: string,
  headers: OutgoingHttpHeaders,
  body?: Uint8Array,
): Promise<Http2Answer> {
  const session = connect(url, { ca });
  const closed = once(session, 'close');
  try {
    return await new Promise((resolve, reject) => {
      session.once('error', reject);
      const stream = session.request(headers);
      stream.once('error', reject);
      stream.once('response', (got) => {
        const status = got[':status'] ?? 0;
        buffer(stream).then((all) => resolve({ status, headers: got, body: all }), reject);
      });
      stream.end(body);
    });
  } finally {
    session.destroy();
    await closed.catch(() => {});
  }
}
