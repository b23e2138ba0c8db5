import { createHash, randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { contentEncodingsOf, decodeContent, isZstdFrame } from './content-encoding.js';
import { HeaderList } from './header-list.js';

const LIMIT = 8 * 1024 * 1024;
const TEXT = Buffer.from(JSON.stringify({ name: 'Grüße', list: Array.from({ length: 40 }, (_, i) => i) }));
/** Made by zstd 1.5: `hello` in one frame with its size, without a checksum. */
const ZSTD_HELLO = Buffer.from('28b52ffd200529000068656c6c6f', 'hex');
const HAS_ZSTD = 'zstdDecompressSync' in zlib;

/** Not as tight as it goes: that takes seconds. */
const brotli = (bytes: Buffer) =>
  zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } });
const CODERS: readonly (readonly [coding: string, name: string, code: (bytes: Buffer) => Buffer])[] = [
  ['gzip', 'gzip', zlib.gzipSync],
  ['x-gzip', 'x-gzip', zlib.gzipSync],
  ['deflate', 'deflate as zlib', zlib.deflateSync],
  ['deflate', 'bare deflate', zlib.deflateRawSync],
  ['br', 'br', brotli],
];
const undo = async (bytes: Uint8Array, contentEncodings: readonly string[], maxBytes = LIMIT) => {
  const uncoded = await decodeContent(bytes, contentEncodings, maxBytes);
  if (uncoded.kind !== 'bytes') return uncoded.kind;
  // Comparing large bodies byte by byte takes seconds.
  return uncoded.bytes.length > 1000 ? digest(uncoded.bytes) : Buffer.from(uncoded.bytes);
};
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('codings of a message', () => {
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

describe.each(CODERS)('%s (%s)', (contentEncoding, _name, code) => {
  it('is undone at once when it is small', () => {
    expect(decodeContent(code(TEXT), [contentEncoding], LIMIT)).toEqual({ kind: 'bytes', bytes: TEXT });
  });

  it('is undone elsewhere when it is large, coded or decoded', async () => {
    for (const large of [randomBytes(300_000), Buffer.alloc(1_000_000, 'abc')]) {
      const uncoded = decodeContent(code(large), [contentEncoding], LIMIT);
      expect(uncoded).toBeInstanceOf(Promise);
      expect(await undo(code(large), [contentEncoding])).toBe(digest(large));
    }
  });

  it('ends at the limit, which itself is allowed', async () => {
    for (const size of [50, 5000, 500_000]) {
      const body = randomBytes(size);
      expect(await undo(code(body), [contentEncoding], size)).toEqual(size > 1000 ? digest(body) : body);
      expect(await undo(code(body), [contentEncoding], size - 1)).toBe('too_large');
    }
  });

  it('is broken wherever it ends early', async () => {
    const small = code(TEXT);
    for (let end = 0; end < small.length; end += 1) {
      expect(await undo(small.subarray(0, end), [contentEncoding])).toMatch(/^(broken|ambiguous)_coding$/);
    }
    const large = code(randomBytes(20_000));
    for (const end of [large.length - 1, large.length - 9, 10_000]) {
      expect(await undo(large.subarray(0, end), [contentEncoding])).toBe('broken_coding');
    }
  });

  it.each([
    ['text', Buffer.from('{"role":"admin"}')],
    ['a NUL', Buffer.alloc(1)],
    ['the half of another one', code(TEXT).subarray(0, 12)],
  ])('is broken with %s behind it', async (_what, more) => {
    expect(await undo(Buffer.concat([code(TEXT), more]), [contentEncoding])).toBe('broken_coding');
    const large = code(randomBytes(20_000));
    expect(await undo(Buffer.concat([large, more]), [contentEncoding])).toBe('broken_coding');
  });

  it('is undone under another one', async () => {
    for (const size of [30, 30_000]) {
      const body = randomBytes(size);
      const expected = size > 1000 ? digest(body) : body;
      expect(await undo(zlib.gzipSync(code(body)), [contentEncoding, 'gzip'])).toEqual(expected);
      expect(await undo(zlib.gzipSync(code(body)), [contentEncoding, 'gzip'], size - 1)).toBe('too_large');
      // The other way round it is not: nobody may look what the bytes are.
      const inner = contentEncoding === 'br' ? zlib.gzipSync(body) : zlib.brotliCompressSync(body);
      expect(await undo(code(inner), [contentEncoding, contentEncoding === 'br' ? 'gzip' : 'br'])).toMatch(
        /_coding$/,
      );
    }
  });

  it('holds a bomb at the limit, also a small one', async () => {
    const bomb = code(Buffer.alloc(16 * 1024 * 1024));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 1);
    expect(await undo(bomb, [contentEncoding], 1024 * 1024)).toBe('too_large');
    clearInterval(watch);
    expect(most).toBeLessThan(8 * 1024 * 1024);
  });
});

describe('codings', () => {
  it('read several gzip members as one text', async () => {
    const two = Buffer.concat([zlib.gzipSync('{"a":'), zlib.gzipSync(''), zlib.gzipSync('1}')]);
    expect(await undo(two, ['gzip'])).toEqual(Buffer.from('{"a":1}'));
    const [first, second] = [randomBytes(9000), randomBytes(200_000)];
    const large = Buffer.concat([zlib.gzipSync(first), zlib.gzipSync(second)]);
    expect(await undo(large, ['gzip'])).toBe(digest(Buffer.concat([first, second])));
    expect(await undo(large, ['gzip'], 209_000)).toBe(digest(Buffer.concat([first, second])));
    expect(await undo(large, ['gzip'], 208_999)).toBe('too_large');
  });

  it('are unknown when one of them is, and when they are too many', async () => {
    const gzip = zlib.gzipSync(TEXT);
    for (const contentEncodings of [['x'], ['compress', 'gzip'], ['gzip;q=1'], ['*'], ['constructor']]) {
      expect(await undo(gzip, contentEncodings)).toBe('unknown_coding');
    }
    expect(await undo(gzip, Array(5).fill('gzip'))).toBe('unknown_coding');
  });

  it('are bare deflate when the first byte only looks like zlib', async () => {
    // A stored block, its padding not zero: 0x88 would be zlib with a window that zlib does not have.
    const stored = Buffer.from(`881c00e3ff${'61'.repeat(28)}0300`, 'hex');
    expect(await undo(stored, ['deflate'])).toEqual(Buffer.alloc(28, 'a'));
  });

  it('are in doubt when the bytes are a text as they stand', async () => {
    // Bare deflate in ASCII: decoded it is `1`.
    expect(await undo(Buffer.from('3304', 'hex'), ['deflate'])).toBe('ambiguous_coding');
    expect(await undo(Buffer.from('{"role":"admin"}'), ['gzip'])).toBe('ambiguous_coding');
    // An empty brotli stream around ASCII that a reader skips.
    expect(await undo(Buffer.from('3b', 'hex'), ['br'])).toBe('ambiguous_coding');
  });

  it('are broken when nothing of them holds', async () => {
    const flipped = zlib.gzipSync(TEXT);
    flipped.writeUInt8((flipped.at(-6) ?? 0) ^ 1, flipped.length - 6);
    expect(await undo(flipped, ['gzip'])).toBe('broken_coding');
    expect(await undo(zlib.deflateSync(TEXT, { dictionary: TEXT.subarray(0, 9) }), ['deflate'])).toBe(
      'broken_coding',
    );
    expect(await undo(randomBytes(5000), ['gzip'])).toBe('broken_coding');
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

  it('is undone where Node has it, and unknown elsewhere', async () => {
    const hello = HAS_ZSTD ? Buffer.from('hello') : 'unknown_coding';
    expect(await undo(ZSTD_HELLO, ['zstd'])).toEqual(hello);
    const cut = HAS_ZSTD ? 'broken_coding' : 'unknown_coding';
    expect(await undo(ZSTD_HELLO.subarray(0, -1), ['zstd'])).toBe(cut);
  });
});
