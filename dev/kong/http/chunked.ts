import type { ByteReader } from '../net/byte-reader.js';

/** The sender's framing is broken or ended early. */
export class BrokenBody extends Error {
  override readonly name = 'BrokenBody';
  constructor(readonly reason: 'bad_chunk' | 'cut') {
    super(reason === 'cut' ? 'the body ended early' : 'invalid chunk');
  }
}

async function line(reader: ByteReader, timeoutMs?: number): Promise<string> {
  for (;;) {
    const at = reader.view().indexOf(0x0a);
    if (at >= 0) {
      const text = reader.view().subarray(0, at).toString('latin1').replace(/\r$/, '');
      reader.skip(at + 1);
      return text;
    }
    if (!(await reader.more(timeoutMs))) throw new BrokenBody('cut');
  }
}

/** The payload of a chunked body, trailers read and dropped. @throws BrokenBody, ReadTimeout */
export async function* chunkedBody(reader: ByteReader, timeoutMs?: number): AsyncGenerator<Buffer> {
  for (;;) {
    const size = /^([0-9a-f]{1,12})[ \t]*(;.*)?$/i.exec(await line(reader, timeoutMs));
    if (size?.[1] === undefined) throw new BrokenBody('bad_chunk');
    let left = Number.parseInt(size[1], 16);
    if (left === 0) {
      while ((await line(reader, timeoutMs)) !== '');
      return;
    }
    while (left > 0) {
      const part = await reader.some(left, timeoutMs);
      if (part === undefined) throw new BrokenBody('cut');
      left -= part.length;
      yield part;
    }
    if ((await line(reader, timeoutMs)) !== '') throw new BrokenBody('bad_chunk');
  }
}

/** A body of a known length. @throws BrokenBody, ReadTimeout */
export async function* sizedBody(
  reader: ByteReader,
  length: number,
  timeoutMs?: number,
): AsyncGenerator<Buffer> {
  let left = length;
  while (left > 0) {
    const part = await reader.some(left, timeoutMs);
    if (part === undefined) throw new BrokenBody('cut');
    left -= part.length;
    yield part;
  }
}

/** Everything until the sender closes. @throws ReadTimeout */
export async function* untilClose(reader: ByteReader, timeoutMs?: number): AsyncGenerator<Buffer> {
  for (;;) {
    const part = await reader.some(1 << 16, timeoutMs);
    if (part === undefined) return;
    yield part;
  }
}
