import { createHash, randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CountingMemory } from '../../test/model/counting-memory.js';
import { BodyFault } from './body-fault.js';
import { decodeContent, isZstdFrame } from './content-encoding.js';
import { HeaderList } from './headers.js';
import { contentEncodingsOf } from './media-type.js';
import { UNLIMITED_MEMORY } from './memory-reservation.js';

const LIMIT = 8 * 1024 * 1024;
const TEXT = Buffer.from(JSON.stringify({ name: 'Grüße', list: Array.from({ length: 40 }, (_, i) => i) }));
/** Made by zstd 1.5: `hello` in one frame with its size, without a checksum. */
const ZSTD_HELLO = Buffer.from('28b52ffd200529000068656c6c6f', 'hex');
const HAS_ZSTD = 'zstdDecompressSync' in zlib;

/** Not as tight as it goes: that takes seconds. */
const brotli = (bytes: Buffer) =>
  zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } });
const CODERS: readonly (readonly [encoding: string, name: string, code: (bytes: Buffer) => Buffer])[] = [
  ['gzip', 'gzip', zlib.gzipSync],
  ['x-gzip', 'x-gzip', zlib.gzipSync],
  ['deflate', 'deflate as zlib', zlib.deflateSync],
  ['deflate', 'bare deflate', zlib.deflateRawSync],
  ['br', 'br', brotli],
];
const decode = async (bytes: Uint8Array, contentEncodings: readonly string[], maxBytes = LIMIT) => {
  try {
    const decoded = await decodeContent(bytes, contentEncodings, maxBytes, UNLIMITED_MEMORY);
    // Comparing large bodies byte by byte takes seconds.
    return decoded.length > 1000 ? digest(decoded) : Buffer.from(decoded);
  } catch (thrown) {
    if (thrown instanceof BodyFault) return thrown.reason;
    throw thrown;
  }
};
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('content encodings of a message', () => {
  it('are those of all headers, in order, identity left out', () => {
    const headers = HeaderList.from([
      ['Content-Encoding', ' GZip ,, identity'],
      ['content-encoding', 'br'],
    ]);
    expect(contentEncodingsOf(headers)).toEqual(['gzip', 'br']);
    expect(contentEncodingsOf(HeaderList.empty)).toEqual([]);
  });

  it('count under the name that is the same to a CGI', () => {
    expect(contentEncodingsOf(HeaderList.from([['Content_Encoding', 'deflate']]))).toEqual(['deflate']);
  });
});

describe('a few bytes of brotli that stand for megabytes', () => {
  it('are decoded in a thread, so that others are served', async () => {
    const bomb = brotli(Buffer.alloc(LIMIT));
    let isServed = false;
    setImmediate(() => {
      isServed = true;
    });
    expect(await decode(bomb, ['br'])).toBe('too_large');
    expect(isServed).toBe(true);
  });
});

describe.each(CODERS)('%s (%s)', (contentEncoding, _name, code) => {
  it('is decoded when it is small', async () => {
    expect(await decode(code(TEXT), [contentEncoding])).toEqual(TEXT);
  });

  it('is decoded when it is large, encoded or decoded', async () => {
    for (const large of [randomBytes(300_000), Buffer.alloc(60_000, 'abc'), randomBytes(1_000_000)]) {
      expect(await decode(code(large), [contentEncoding])).toBe(digest(large));
    }
  });

  it('reserves what it decodes before it is made, and gives back all but the result', async () => {
    for (const size of [50, 5000, 60_000, 1_000_000]) {
      const memory = new CountingMemory();
      const body = code(randomBytes(size));
      expect((await decodeContent(body, [contentEncoding], LIMIT, memory)).length).toBe(size);
      expect(memory.held).toBe(size);
      const tight = new CountingMemory(memory.most - 1);
      await expect(decodeContent(body, [contentEncoding], LIMIT, tight)).rejects.toMatchObject({
        code: 'server_overloaded',
      });
      expect(tight.held).toBe(0);
    }
  });

  it('ends at the limit, which itself is allowed', async () => {
    for (const size of [50, 5000, 500_000]) {
      const body = randomBytes(size);
      expect(await decode(code(body), [contentEncoding], size)).toEqual(size > 1000 ? digest(body) : body);
      expect(await decode(code(body), [contentEncoding], size - 1)).toBe('too_large');
    }
  });

  it('is broken wherever it ends early', async () => {
    const small = code(TEXT);
    for (let end = 0; end < small.length; end += 1) {
      expect(await decode(small.subarray(0, end), [contentEncoding])).toMatch(
        /^(broken|ambiguous)_encoding$/,
      );
    }
    const large = code(randomBytes(20_000));
    for (const end of [large.length - 1, large.length - 9, 10_000]) {
      expect(await decode(large.subarray(0, end), [contentEncoding])).toBe('broken_encoding');
    }
  });

  it.each([
    ['text', Buffer.from('{"role":"admin"}')],
    ['a NUL', Buffer.alloc(1)],
    ['the half of another one', code(TEXT).subarray(0, 12)],
  ])('is broken with %s behind it', async (_what, more) => {
    expect(await decode(Buffer.concat([code(TEXT), more]), [contentEncoding])).toBe('broken_encoding');
    const large = code(randomBytes(20_000));
    expect(await decode(Buffer.concat([large, more]), [contentEncoding])).toBe('broken_encoding');
  });

  it('is decoded under another one', async () => {
    for (const size of [30, 30_000]) {
      const body = randomBytes(size);
      const expected = size > 1000 ? digest(body) : body;
      expect(await decode(zlib.gzipSync(code(body)), [contentEncoding, 'gzip'])).toEqual(expected);
      expect(await decode(zlib.gzipSync(code(body)), [contentEncoding, 'gzip'], size - 1)).toBe('too_large');
      // The other way round it is not: nobody may look what the bytes are.
      const inner = contentEncoding === 'br' ? zlib.gzipSync(body) : zlib.brotliCompressSync(body);
      expect(await decode(code(inner), [contentEncoding, contentEncoding === 'br' ? 'gzip' : 'br'])).toMatch(
        /_encoding$/,
      );
    }
  });

  it('ends where it is 100 times as large as the body, above 64 KiB', async () => {
    const small = code(Buffer.alloc(60_000));
    expect(small.length).toBeLessThan(300);
    expect(await decode(small, [contentEncoding])).toBe(digest(Buffer.alloc(60_000)));
    const bomb = code(Buffer.alloc(8 * 1024 * 1024));
    const memory = new CountingMemory();
    await expect(decodeContent(bomb, [contentEncoding], LIMIT, memory)).rejects.toMatchObject({
      reason: 'too_large',
      detail: `more than 100 times as large without ${contentEncoding}`,
    });
    expect(memory.held).toBe(0);
    // No more than the ratio allows, and what the decoder makes ahead.
    expect(memory.most).toBeLessThanOrEqual(Math.max(65_536, 100 * bomb.length) + 2 * 262_144);
  });

  it('has the same bound under another one', async () => {
    const bomb = zlib.gzipSync(code(Buffer.alloc(8 * 1024 * 1024)));
    const memory = new CountingMemory();
    await expect(decodeContent(bomb, [contentEncoding, 'gzip'], LIMIT, memory)).rejects.toMatchObject({
      reason: 'too_large',
    });
    expect(memory.held).toBe(0);
    expect(memory.most).toBeLessThan(200 * bomb.length + 4 * 262_144);
  });
});

describe('content encodings', () => {
  it('read several gzip members as one text', async () => {
    const two = Buffer.concat([zlib.gzipSync('{"a":'), zlib.gzipSync(''), zlib.gzipSync('1}')]);
    expect(await decode(two, ['gzip'])).toEqual(Buffer.from('{"a":1}'));
    const [first, second] = [randomBytes(9000), randomBytes(200_000)];
    const large = Buffer.concat([zlib.gzipSync(first), zlib.gzipSync(second)]);
    expect(await decode(large, ['gzip'])).toBe(digest(Buffer.concat([first, second])));
    expect(await decode(large, ['gzip'], 209_000)).toBe(digest(Buffer.concat([first, second])));
    expect(await decode(large, ['gzip'], 208_999)).toBe('too_large');
  });

  it('are unknown when one of them is, and when they are too many', async () => {
    const gzip = zlib.gzipSync(TEXT);
    for (const contentEncodings of [['x'], ['compress', 'gzip'], ['gzip;q=1'], ['*'], ['constructor']]) {
      expect(await decode(gzip, contentEncodings)).toBe('unknown_encoding');
    }
    expect(await decode(gzip, Array(5).fill('gzip'))).toBe('unknown_encoding');
  });

  it('are bare deflate when the first byte only looks like zlib', async () => {
    // A stored block, its padding not zero: 0x88 would be zlib with a window that zlib does not have.
    const stored = Buffer.from(`881c00e3ff${'61'.repeat(28)}0300`, 'hex');
    expect(await decode(stored, ['deflate'])).toEqual(Buffer.alloc(28, 'a'));
  });

  it('are in doubt when the bytes are a text as they stand', async () => {
    // Bare deflate in ASCII: decoded it is `1`.
    expect(await decode(Buffer.from('3304', 'hex'), ['deflate'])).toBe('ambiguous_encoding');
    expect(await decode(Buffer.from('{"role":"admin"}'), ['gzip'])).toBe('ambiguous_encoding');
    // An empty brotli stream around ASCII that a reader skips.
    expect(await decode(Buffer.from('3b', 'hex'), ['br'])).toBe('ambiguous_encoding');
  });

  it('are broken when nothing of them holds', async () => {
    const flipped = zlib.gzipSync(TEXT);
    flipped.writeUInt8((flipped.at(-6) ?? 0) ^ 1, flipped.length - 6);
    expect(await decode(flipped, ['gzip'])).toBe('broken_encoding');
    expect(await decode(zlib.deflateSync(TEXT, { dictionary: TEXT.subarray(0, 9) }), ['deflate'])).toBe(
      'broken_encoding',
    );
    expect(await decode(randomBytes(5000), ['gzip'])).toBe('broken_encoding');
  });
});

describe('zstd', () => {
  it('is a frame only as a whole, with nothing behind it', () => {
    expect(isZstdFrame(ZSTD_HELLO)).toBe(true);
    for (let end = 0; end < ZSTD_HELLO.length; end += 1) {
      expect(isZstdFrame(ZSTD_HELLO.subarray(0, end))).toBe(false);
    }
    expect(isZstdFrame(Buffer.concat([ZSTD_HELLO, Buffer.alloc(1)]))).toBe(false);
    expect(isZstdFrame(Buffer.concat([ZSTD_HELLO, ZSTD_HELLO]))).toBe(false);
    expect(isZstdFrame(Buffer.concat([Buffer.alloc(3), ZSTD_HELLO]).subarray(3))).toBe(true);
  });

  it('is a frame with a block that says one byte again and again', () => {
    expect(isZstdFrame(Buffer.from('28b52ffd201083000061', 'hex'))).toBe(true);
  });

  it('is decoded where Node has it, and unknown elsewhere', async () => {
    const hello = HAS_ZSTD ? Buffer.from('hello') : 'unknown_encoding';
    expect(await decode(ZSTD_HELLO, ['zstd'])).toEqual(hello);
    const cut = HAS_ZSTD ? 'broken_encoding' : 'unknown_encoding';
    expect(await decode(ZSTD_HELLO.subarray(0, -1), ['zstd'])).toBe(cut);
  });
});
