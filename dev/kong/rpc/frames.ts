import { ReadTimeout } from '../net/byte-reader.js';
import type { PooledConnection } from './connection-pool.js';
import { CLOSED, RpcError } from './rpc-error.js';

/** One frame: four bytes of length (little-endian), then as many bytes. @throws RpcError */
export async function readFrame({ reader }: PooledConnection, timeoutMs: number): Promise<Buffer> {
  try {
    while (reader.size < 4) await need(reader, timeoutMs);
    const length = reader.view().readUInt32LE();
    while (reader.size < 4 + length) await need(reader, timeoutMs);
    const frame = Buffer.from(reader.view().subarray(4, 4 + length));
    reader.skip(4 + length);
    return frame;
  } catch (error) {
    if (error instanceof ReadTimeout) throw new RpcError('timeout');
    throw error;
  }
}

async function need(reader: PooledConnection['reader'], timeoutMs: number): Promise<void> {
  if (await reader.more(timeoutMs)) return;
  throw new RpcError(reader.error === undefined ? CLOSED : socketWords(reader.error));
}

function socketWords(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNRESET') return 'connection reset by peer';
  return error.code === 'EPIPE' ? 'broken pipe' : error.message;
}

export function frame(payload: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  return Buffer.concat([length, payload]);
}
