import { isUtf8 } from 'node:buffer';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedBody } from '../../src/directives/decision.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { bodyRules, decodeBody } from '../../src/http/body.js';
import { isZstdFrame } from '../../src/http/content-encoding.js';
import { type HeaderField, HeaderList, valuesOf } from '../../src/http/headers.js';
import { CountingMemory } from '../model/counting-memory.js';
import { SHOW_ALL } from '../model/messages.js';
import { anyBytes, damaged, damages, fuzzed, oddText } from './fuzz.js';
import { readDeflate, readGzip } from './reference-inflate.js';

const LIMIT = 200_000;

/** What the policy is shown of a body: its text, or undefined when the message is refused. Nothing else may happen. */
async function shown(body: Uint8Array, fields: readonly HeaderField[]): Promise<string | undefined> {
  const rules = { ...bodyRules('request', SHOW_ALL), maxBytes: LIMIT };
  const memory = new CountingMemory();
  try {
    const view = await decodeBody(body, HeaderList.from(fields), rules, memory);
    if (view.kind !== 'text') return view.kind === 'absent' ? '' : expect.fail(`${view.kind} ${view.reason}`);
    expect(memory.held).toBeGreaterThanOrEqual(view.text.length + (view.decoded?.length ?? 0));
    // The upstream gets these bytes without Content-Encoding, and has to read the same in them.
    if (view.decoded !== undefined) {
      const others = fields.filter(([name]) => name !== 'content-encoding');
      expect(await shown(view.decoded, others)).toBe(view.text);
    }
    return view.text;
  } catch (thrown) {
    if (!(thrown instanceof PingAuthError)) throw thrown;
    expect(['request_body_too_large', 'request_body_unreadable']).toContain(thrown.code);
    return undefined;
  }
}

const plainText = fc.oneof(
  oddText.map((text) => text.toWellFormed()),
  fc.string({ unit: 'binary', minLength: 200, maxLength: 6000 }),
  fc.json(),
);
const CODERS = {
  gzip: (bytes: Uint8Array) => zlib.gzipSync(bytes),
  zlib: (bytes: Uint8Array) => zlib.deflateSync(bytes),
  raw: (bytes: Uint8Array) => zlib.deflateRawSync(bytes),
  br: (bytes: Uint8Array) =>
    zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 3 } }),
} as const;
type Coder = keyof typeof CODERS;
const NAMES: Readonly<Record<Coder, string>> = { gzip: 'gzip', zlib: 'deflate', raw: 'deflate', br: 'br' };
const coder = fc.constantFrom<Coder>('gzip', 'zlib', 'raw', 'br');

describe('a coded body', () => {
  it('is shown as the text it stands for, or refused because it is a text as it is', async () => {
    await fc.assert(
      fc.asyncProperty(plainText, fc.array(coder, { minLength: 1, maxLength: 3 }), async (text, coders) => {
        let body = Buffer.from(text);
        for (const name of coders) body = Buffer.from(CODERS[name](body));
        const contentEncodings = coders.map((name) => NAMES[name]).join(', ');
        const seen = await shown(body, [['content-encoding', contentEncodings]]);
        expect(seen).toBe(isUtf8(body) || isUtf16Like(text) ? undefined : text);
      }),
      fuzzed(400),
    );
  });

  it('is shown as a slow and simple reader reads it, however it is damaged', async () => {
    const plan = fc.oneof(damages, fc.constant([]));
    await fc.assert(
      fc.asyncProperty(
        fc.array(plainText, { minLength: 1, maxLength: 3 }),
        fc.constantFrom<'gzip' | 'zlib' | 'raw'>('gzip', 'zlib', 'raw'),
        plan,
        async (texts, name, how) => {
          const whole = Buffer.concat(texts.map((text) => CODERS[name](Buffer.from(text))));
          await agrees(damaged(whole, how), NAMES[name]);
        },
      ),
      fuzzed(1500),
    );
  });

  it.each(['gzip', 'deflate'])(
    'of any bytes is %s to us only if it is to that reader',
    async (contentEncoding) => {
      const heads = fc.constantFrom('', '1f8b08', '1f8b0804000000000003', '7801', '789c', '03', '0100', '4b');
      await fc.assert(
        fc.asyncProperty(heads, anyBytes, async (head, bytes) => {
          await agrees(Buffer.concat([Buffer.from(head, 'hex'), bytes]), contentEncoding);
        }),
        fuzzed(1500),
      );
    },
  );

  it('is refused when it ends early, or is followed by anything', async () => {
    await fc.assert(
      fc.asyncProperty(plainText, coder, fc.nat(), anyBytes, async (text, name, cut, more) => {
        const whole = CODERS[name](Buffer.from(text));
        const head = whole.subarray(0, cut % whole.length);
        const fields: HeaderField[] = [['content-encoding', NAMES[name]]];
        if (head.length > 0) expect(await shown(head, fields)).toBeUndefined();
        if (more.length > 0) expect(await shown(Buffer.concat([whole, more]), fields)).toBeUndefined();
        const twice = await shown(Buffer.concat([whole, whole]), fields);
        const expected = name === 'gzip' && !isUtf16Like(text + text) ? text + text : undefined;
        expect(twice).toBe(expected);
      }),
      fuzzed(400),
    );
  });

  it('is unknown, broken or in doubt under any other name', async () => {
    const names = fc.oneof(
      oddText,
      fc.constantFrom('compress', 'gzip;q=1', 'x', 'zstd', 'br br', 'gzip\u00a0'),
    );
    await fc.assert(
      fc.asyncProperty(names, anyBytes, async (name, bytes) => {
        const isNone = name.split(',').every((one) => ['', 'identity'].includes(one.trim().toLowerCase()));
        if (isNone || bytes.length === 0) return;
        expect(await shown(bytes, [['content-encoding', name]])).toBeUndefined();
      }),
      fuzzed(500),
    );
  });

  it('of zstd is a frame or none, whatever the bytes are', () => {
    const frame = Buffer.from('28b52ffd200529000068656c6c6f', 'hex');
    fc.assert(
      fc.property(
        fc.oneof(
          anyBytes,
          damages.map((plan) => damaged(frame, plan)),
        ),
        (bytes) => {
          if (!isZstdFrame(bytes)) return;
          expect(isZstdFrame(bytes.subarray(0, -1))).toBe(false);
          expect(isZstdFrame(Buffer.concat([bytes, Buffer.from([0])]))).toBe(false);
        },
      ),
      fuzzed(1500),
    );
  });
});

/** Shown is what the reference reads, if that is UTF-8 and the encoded bytes are no text themselves. */
async function agrees(body: Buffer, contentEncoding: string): Promise<void> {
  if (body.length === 0) return;
  const reference = contentEncoding === 'gzip' ? readGzip(body) : readDeflate(body);
  const isText = reference !== undefined && isUtf8(reference) && !isUtf8(body);
  const text = isText ? reference.toString() : undefined;
  const expected = text === undefined || isUtf16Like(text) || text.length > LIMIT ? undefined : text;
  expect(await shown(body, [['content-encoding', contentEncoding]])).toBe(expected);
}

/** Without a Content-Type, parsers of JSON take this for UTF-16 or UTF-32. */
function isUtf16Like(text: string): boolean {
  const bytes = Buffer.from(text);
  return bytes.length > 1 && (bytes[0] === 0 || bytes[1] === 0);
}

const LABELS = ['utf-8', 'utf-16', 'utf-16le', 'utf-16be', 'iso-8859-1', 'windows-1251', 'iso-8859-15'];
const MULTI_BYTE = ['shift_jis', 'gbk', 'gb18030', 'big5', 'euc-kr', 'euc-jp', 'iso-2022-jp'];
const label = fc.constantFrom(...LABELS, ...MULTI_BYTE, 'us-ascii', 'utf-7', undefined);
const type = fc.constantFrom(
  'application/json',
  'application/x-www-form-urlencoded',
  'application/xml',
  'text/plain',
);
/** Texts in all kinds of bytes, whole and damaged, and bytes that are none. */
const charsetBytes = fc.oneof(
  anyBytes.map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(
      fc.oneof(
        oddText,
        fc.json(),
        fc.constant('{"role":"admin"}'),
        fc.constant('<?xml version="1.0"?><a>é</a>'),
      ),
      fc.constantFrom<'utf8' | 'utf16le' | 'latin1'>('utf8', 'utf16le', 'latin1'),
      fc.boolean(),
      fc.oneof(fc.constant([]), damages),
    )
    .map(([text, encoding, isMarked, plan]) =>
      damaged(Buffer.from(`${isMarked ? '\ufeff' : ''}${text}`, encoding), plan),
    ),
);

describe('a charset', () => {
  it('is read as every reader of the type reads it, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(charsetBytes, type, label, async (body, essence, charset) => {
        if (body.length === 0) return;
        const contentType = charset === undefined ? essence : `${essence}; charset=${charset}`;
        const text = await shown(body, [['content-type', contentType]]);
        if (text === undefined) return;
        for (const [who, read] of readersOf(body, essence, charset)) expect([who, text]).toEqual([who, read]);
      }),
      fuzzed(6000),
    );
  });

  it('of a text in UTF-8 is never in doubt', async () => {
    await fc.assert(
      fc.asyncProperty(plainText, type, async (text, essence) => {
        if (isUtf16Like(text) || /<\?xml/.test(text)) return;
        for (const contentType of [essence, `${essence}; charset=UTF-8`]) {
          expect(await shown(Buffer.from(text), [['content-type', contentType]])).toBe(text);
        }
      }),
      fuzzed(500),
    );
  });
});

/** Readers that may be behind Kong, each with the text it reads; those that take the body for broken are left out. */
function readersOf(body: Buffer, essence: string, charset: string | undefined): [string, string][] {
  const readers: [string, string | undefined][] = [];
  const mark = body.readUIntBE(0, Math.min(2, body.length));
  const marked = mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : undefined;
  if (charset !== undefined && charset !== 'us-ascii') {
    readers.push(['obeys the charset', decoded(body, charset === 'utf-16' ? (marked ?? charset) : charset)]);
  }
  if (essence === 'text/plain') {
    if (charset === undefined) readers.push(['looks at the mark', decoded(body, marked ?? 'utf-8')]);
  } else {
    readers.push(['knows UTF-8 only', marked === undefined ? decoded(body, 'utf-8') : undefined]);
    // Neither JSON nor XML has a NUL in it; who reads forms stops at nothing.
    if (body.includes(0) && essence !== 'application/x-www-form-urlencoded') readers.pop();
  }
  if (essence === 'application/json')
    readers.push(['guesses, as RFC 4627 says', decoded(body, guessed(body))]);
  return readers.filter((reader): reader is [string, string] => reader[1] !== undefined);
}

/** Of JSON: by a mark, or by where the zeros are. */
function guessed(body: Buffer): string {
  const [a, b, c, d] = body;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? 'utf-32' : 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  if (body.length < 2) return 'utf-8';
  if (a === 0) return b === 0 ? 'utf-32' : 'utf-16be';
  if (b === 0) return c === 0 && d === 0 ? 'utf-32' : 'utf-16le';
  return 'utf-8';
}

/** undefined when the bytes are wrong in it, or Node does not know it. */
function decoded(body: Buffer, charset: string): string | undefined {
  // Node 20 takes windows-1252 for this one anyway, and 0x80 to 0x9F are another test's.
  if (charset === 'iso-8859-1')
    return /[\x80-\x9f]/.test(body.toString('latin1')) ? undefined : body.toString('latin1');
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}

describe('a body that the policy changed', () => {
  const types = fc.oneof(
    fc.tuple(type, label).map(([essence, charset]) => `${essence}; charset=${charset ?? 'utf-8'}`),
    fc.constantFrom('text/html', 'application/problem+json', 'text/xml; x="; charset=b"', 'text/plain; a=b;'),
  );

  it('is read by the next one as the policy wrote it', async () => {
    await fc.assert(
      fc.asyncProperty(plainText, types, coder, async (text, contentType, name) => {
        if (isUtf16Like(text)) return;
        const original = HeaderList.from([
          ['content-type', contentType],
          ['content-encoding', NAMES[name]],
        ]);
        const { body: bytes = new Uint8Array(), headers } = changedBody(text, {}, original);
        const fields = [...original]
          .filter(([field]) => !(field in headers))
          .concat(
            Object.entries(headers).flatMap(([field, value]) =>
              valuesOf(value).map((one): HeaderField => [field, one]),
            ),
          );
        expect(await shown(bytes, fields)).toBe(Buffer.from(bytes).toString());
        if (!/<\?xml/.test(text)) expect(Buffer.from(bytes).toString()).toBe(text);
      }),
      fuzzed(500),
    );
  });
});
