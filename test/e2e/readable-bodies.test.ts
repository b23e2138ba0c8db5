import { createHash, randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HeaderPairs } from '../../dev/http-client.js';
import { answerPath } from '../../dev/upstream/answers.js';
import { HOSTS } from '../support/hosts.js';
import { requestOverHttp2 } from '../support/http2-client.js';
import { kongCan } from '../support/kong.js';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

const { brotliCompressSync, deflateRawSync, deflateSync, gunzipSync, gzipSync } = zlib;
type Version = 'HTTP/1.1' | 'HTTP/2';
const TEXT = '{"name":"Grüße","role":"admin"}';
const CHANGED = 'geändert';
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const type = (value: string) => ['Content-Type', value] as const;
const contentEncoding = (value: string) => ['Content-Encoding', value] as const;

type Readable = readonly [what: string, headers: HeaderPairs, body: Buffer];
type Unreadable = readonly [what: string, status: number, headers: HeaderPairs, body: Buffer];
/** What describes the bytes and is wrong for others. */
const OF_THE_BYTES = ['ETag', 'Content-MD5', 'Digest', 'Repr-Digest', 'Content-Digest', 'Accept-Ranges'];
const DIGESTS = ['Content-MD5', 'Digest', 'Repr-Digest', 'Content-Digest'];
const ZSTD: HeaderPairs = [type('application/json'), contentEncoding('zstd')];
const knowsZstd = 'zstdDecompress' in zlib;

/** Bodies that are TEXT to their reader. */
const READABLE: readonly Readable[] = [
  ['gzip', [type('application/json'), contentEncoding('gzip')], gzipSync(TEXT)],
  ['x-gzip', [type('application/json'), contentEncoding('x-gzip')], gzipSync(TEXT)],
  ['zlib', [type('text/plain'), contentEncoding('deflate')], deflateSync(TEXT)],
  ['bare deflate', [type('text/plain'), contentEncoding('deflate')], deflateRawSync(TEXT)],
  ['brotli', [type('application/problem+json'), contentEncoding('br')], brotliCompressSync(TEXT)],
  [
    'two content encodings',
    [type('application/json'), contentEncoding('br, gzip')],
    gzipSync(brotliCompressSync(TEXT)),
  ],
  ['iso-8859-1', [type('text/plain; charset=iso-8859-1')], latin1(TEXT)],
  ['UTF-16', [type('application/json; charset=utf-16')], Buffer.from(TEXT, 'utf16le')],
  ['no type', [contentEncoding('gzip')], gzipSync(TEXT)],
  ...(knowsZstd ? [['zstd', ZSTD, zstdFrame(TEXT)] as const] : []),
];

/** Text that cannot be shown. */
const UNREADABLE: readonly Unreadable[] = [
  ['an unknown content encoding', 415, [type('application/json'), contentEncoding('x')], Buffer.from(TEXT)],
  ...(knowsZstd ? [] : [['zstd, which Node.js 20 does not have', 415, ZSTD, zstdFrame(TEXT)] as const]),
  ['an unknown charset', 415, [type('application/json; charset=utf-7')], Buffer.from(TEXT)],
  [
    'a charset in RFC 8187’s form, which Django reads',
    415,
    [type("application/x-www-form-urlencoded; charset*=utf-8''utf-7")],
    Buffer.from('role=+AGEAZABtAGkAbg-'),
  ],
  [
    'a charset in a quoted string, which some readers split',
    415,
    [type('application/x-www-form-urlencoded; x="; charset=utf-7; y="')],
    Buffer.from('role=+AGEAZABtAGkAbg-'),
  ],
  ['broken gzip', 400, [type('application/json'), contentEncoding('gzip')], gzipSync(TEXT).subarray(0, -3)],
  ['one wrong byte', 400, [type('application/json')], latin1('{"role":"admin","x":"\xff"}')],
  ['ASCII as UTF-16', 400, [type('application/json; charset=utf-16')], Buffer.from('{"role":"admin" }')],
  ['plain text as gzip', 400, [type('application/json'), contentEncoding('gzip')], Buffer.from(TEXT)],
];
const quick = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };
/** Megabytes in a few bytes. */
const BOMB = brotliCompressSync(Buffer.alloc(20_000_000, ' '), quick);
const few = <T extends readonly [string, ...unknown[]]>(all: readonly T[]) =>
  all.filter(([what]) => ['gzip', 'UTF-16', 'an unknown content encoding', 'one wrong byte'].includes(what));
/** Changes a header, for the sake of a line in the log: there is none for what passes as it is. */
const MARK = ['X-Mark', '1'] as const;
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex');
const NO_TEXT: HeaderPairs = [MARK, type('application/octet-stream'), contentEncoding('gzip')];

describe.each(HOSTS)('bodies that have to be read first, under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({
      host,
      kong: { proxy_listen: '127.0.0.1:0, 127.0.0.1:0 ssl http2' },
      config: { allow_http2: true, max_request_body_bytes: 100_000, max_response_body_bytes: 100_000 },
      routes: [
        { paths: ['/lenient'], config: { allow_http2: true, opaque_bodies: 'allow_unreadable' } },
        { paths: ['/strict'], config: { allow_http2: true, opaque_bodies: 'reject' } },
        { paths: ['/forward'], config: { allow_http2: true, encoded_request_bodies: 'forward' } },
        { paths: ['/no-encoding'], config: { allow_http2: true, encoded_request_bodies: 'reject' } },
        // A client's body is never a reason to fail open.
        {
          paths: ['/open'],
          config: {
            allow_http2: true,
            fail_open_request: true,
            fail_open_scope: 'unavailable',
            fail_open_response: true,
            error_status: 503,
          },
        },
      ],
      rules: [
        {
          name: 'request',
          match: { phase: 'request', header: { 'x-change': '1' } },
          change: { body: CHANGED },
        },
        {
          name: 'response',
          match: { phase: 'response', header: { 'x-change': '1' } },
          rewrite: { body: CHANGED },
        },
        {
          name: 'marked request',
          match: { phase: 'request', header: { 'x-mark': '1' } },
          change: { headers: { set: { 'x-mark': '2' } } },
        },
        {
          name: 'marked response',
          match: { phase: 'response', header: { 'x-mark': '1' } },
          rewrite: { headers: { set: { 'x-mark': '2' } } },
        },
      ],
    });
  });
  afterAll(() => rig?.close());
  beforeEach(() => rig.clear());

  const shown = async () =>
    (await rig.providerCalls()).map(({ phase, payload }) => [phase, (payload as { body?: string }).body]);

  /** Waits until the log says from there on, of a request and of a response, that the body was not shown for that reason. */
  const sayNotShown = (start: number, reason: string) =>
    until(`body_not_shown: ${reason}`, () =>
      ['access', 'response'].every((phase) =>
        new RegExp(`"phase":"${phase}".*"body_not_shown":"${reason}"`).test(rig.log().slice(start)),
      ),
    );

  // Host and version end where the body is read, so a few kinds of bodies are enough for all but one of them.
  const isFirst = host === HOSTS[0];
  describe.each<[Version, readonly Readable[], readonly Unreadable[]]>([
    ['HTTP/1.1', isFirst ? READABLE : few(READABLE), isFirst ? UNREADABLE : few(UNREADABLE)],
    ['HTTP/2', few(READABLE), few(UNREADABLE)],
  ])('%s', (version, readable, unreadable) => {
    const isBeyondKong = version === 'HTTP/2' && !kongCan.bufferHttp2;
    beforeEach(({ skip }) => skip(isBeyondKong, 'this Kong does not run the response phase over HTTP/2'));

    const post = (path: string, headers: HeaderPairs, body: Buffer) =>
      send(rig, version, { method: 'POST', path, headers, body });
    const get = (headers: HeaderPairs, body: Buffer, prefix = '') =>
      send(rig, version, {
        path: `${prefix}${answerPath({ headers: [...headers], bodyBase64: body.toString('base64') })}`,
      });

    it.each(readable)('request, %s: shown, and decoded to the upstream', async (_what, headers, body) => {
      const digests: HeaderPairs = [...DIGESTS, 'X-Kept'].map((name) => [name, '1']);
      expect((await post('/status/204', [...headers, ...digests], body)).status).toBe(204);
      expect((await shown())[0]).toEqual(['request', TEXT]);
      const [reached] = rig.upstreamRequests();
      const isEncoded = headers.some(([name]) => name === 'Content-Encoding');
      expect(reached?.bodySha256).toBe(sha256(isEncoded ? Buffer.from(TEXT) : body));
      const arrived = new Map(reached?.headers.map(([name, value]) => [name.toLowerCase(), value]));
      expect(arrived.get('content-length')).toBe(String(reached?.bodyLength));
      expect([arrived.has('content-encoding'), arrived.get('x-kept')]).toEqual([false, '1']);
      expect(arrived.get('content-type')).toBe(headers.find(([name]) => name === 'Content-Type')?.[1]);
      expect(DIGESTS.filter((name) => arrived.has(name.toLowerCase()))).toEqual(isEncoded ? [] : DIGESTS);
    });

    it.each(readable)(
      'request, %s: forwarded unchanged, or refused, where the admin wants it',
      async (_what, headers, body) => {
        const isEncoded = headers.some(([name]) => name === 'Content-Encoding');
        expect((await post('/forward/status/204', headers, body)).status).toBe(204);
        expect((await shown())[0]).toEqual(['request', TEXT]);
        expect(rig.upstreamRequests()[0]?.bodySha256).toBe(sha256(body));
        await rig.clear();
        expect((await post('/no-encoding/status/204', headers, body)).status).toBe(isEncoded ? 415 : 204);
        expect(rig.upstreamRequests()).toHaveLength(isEncoded ? 0 : 1);
      },
    );

    it.each(readable)('response, %s: shown, and unchanged to the client', async (_what, headers, body) => {
      const got = await get(headers, body);
      expect(got.status).toBe(200);
      expect((await shown())[1]).toEqual(['response', TEXT]);
      expect(got.body.equals(body)).toBe(true);
      const sent = headers.find(([name]) => name === 'Content-Encoding')?.[1];
      expect(got.headers['content-encoding']).toBe(sent);
    });

    it.each(readable)('%s, changed: plain and in UTF-8, in both directions', async (_what, headers, body) => {
      const digests: HeaderPairs = [...OF_THE_BYTES, 'X-Change'].map((name) => [name, '1']);
      const gone = ['Content-Encoding', ...OF_THE_BYTES].map((name) => name.toLowerCase());
      await post('/status/204', [...headers, ...digests], body);
      const [reached] = rig.upstreamRequests();
      expect(reached?.bodyText).toBe(CHANGED);
      const names = reached?.headers.map(([name]) => name.toLowerCase()) ?? [];
      expect(names.filter((name) => gone.includes(name))).toEqual([]);
      const [, contentType = ''] = reached?.headers.find(([name]) => /^content-type$/i.test(name)) ?? [];
      expect(contentType).not.toMatch(/charset=(?!utf-8)/);

      const got = await get([...headers, ...digests], body);
      expect(got.body.toString()).toBe(CHANGED);
      expect(gone.filter((name) => got.headers[name] !== undefined)).toEqual([]);
      expect(String(got.headers['content-type'] ?? '')).not.toMatch(/charset=(?!utf-8)/i);
    });

    it.each(unreadable)('request, %s: %i, no provider is asked', async (_what, status, headers, body) => {
      const got = await post('/open/status/204', headers, body);
      expect([got.status, rig.upstreamRequests(), await rig.providerCalls()]).toEqual([status, [], []]);
      await until('request_body_unreadable', () => rig.log().includes('request_body_unreadable'));
    });

    it.each(unreadable)('response, %s (not %i): withheld', async (_what, _status, headers, body) => {
      const got = await get([...headers, ['X-Secret', '1']], body, '/open');
      expect([got.status, got.headers['x-secret']]).toEqual([503, undefined]);
      expect(got.body.includes('admin')).toBe(false);
      expect((await shown()).map(([phase]) => phase)).toEqual(['request']);
      await until('response_body_unreadable', () => rig.log().includes('response_body_unreadable'));
    });

    it('the same without fail-open', async () => {
      for (const [, status, headers, body] of few(unreadable)) {
        expect((await post('/status/204', headers, body)).status).toBe(status);
        expect((await get(headers, body)).status).toBe(502);
      }
    });

    it('allow_unreadable: it passes unseen, in both directions', async () => {
      const start = rig.log().length;
      for (const [, , headers, body] of unreadable) {
        await rig.clear();
        const marked = [...headers, MARK];
        expect((await post('/lenient/status/204', marked, body)).status).toBe(204);
        expect(rig.upstreamRequests()[0]?.bodySha256).toBe(sha256(body));
        expect((await get(marked, body, '/lenient')).body.equals(body)).toBe(true);
        const seen = await shown();
        expect([seen[0], seen[3]]).toEqual([
          ['request', undefined],
          ['response', undefined],
        ]);
      }
      await sayNotShown(start, 'unreadable');
    });

    it('what is no text is left out, and the decision line says so', async () => {
      const start = rig.log().length;
      const body = gzipSync(TEXT);
      expect((await post('/status/204', NO_TEXT, body)).status).toBe(204);
      expect(rig.upstreamRequests()[0]?.bodySha256).toBe(sha256(body));
      expect((await get(NO_TEXT, body)).body.equals(body)).toBe(true);
      const seen = await shown();
      expect([seen[0], seen[3]]).toEqual([
        ['request', undefined],
        ['response', undefined],
      ]);
      await sayNotShown(start, 'content_encoding');
      expect((await post('/strict/status/204', NO_TEXT, body)).status).toBe(415);
      expect((await get(NO_TEXT, body, '/strict')).status).toBe(502);
    });

    it('a bomb is over the limit', async () => {
      const packed = [type('application/json'), contentEncoding('br')];
      expect((await post('/status/204', packed, BOMB)).status).toBe(413);
      expect(rig.upstreamRequests()).toEqual([]);
      expect((await get(packed, BOMB)).status).toBe(502);
      for (const phase of ['request', 'response'])
        await until(`${phase}_body_too_large`, () => rig.log().includes(`"code":"${phase}_body_too_large"`));
      const headers = [type('text/plain'), contentEncoding('gzip')];
      // Over 64 KiB decoded, and short enough for the path that carries it.
      const large = Buffer.from(randomBytes(3_000).toString('hex').repeat(12));
      expect((await get(headers, gzipSync(large))).status).toBe(200);
      expect(gunzipSync((await get(headers, gzipSync(large))).body).equals(large)).toBe(true);
    });
  });

  it('a provider that fails is another matter: there it fails open, decoded as always', async () => {
    await rig.setRules([{ name: 'down', error: { status: 500 } }]);
    const encoded = [type('application/json'), contentEncoding('gzip')];
    await rig.send({ method: 'POST', path: '/open/status/204', headers: encoded, body: gzipSync(TEXT) });
    expect(rig.upstreamRequests()[0]?.bodyText).toBe(TEXT);
    const headers = [type('application/json')];
    const sent = { method: 'POST', path: '/open/status/204', headers, body: Buffer.from(TEXT) };
    expect((await rig.send(sent)).status).toBe(204);
  });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}
interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: HeaderPairs;
  readonly body?: Buffer;
}

/** A frame (RFC 8878) with one block in which the text stands as it is; up to 255 bytes. */
function zstdFrame(text: string): Buffer {
  const bytes = Buffer.from(text);
  const block = Buffer.alloc(3);
  block.writeUIntLE((bytes.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length]), block, bytes]);
}

async function send(rig: Rig, version: Version, request: Sent): Promise<Answer> {
  if (version === 'HTTP/2') return sendHttp2(rig, request);
  const { status, headers, body } = await rig.send(request);
  return {
    status,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    body,
  };
}

function sendHttp2(rig: Rig, { method = 'GET', path, headers = [], body }: Sent): Promise<Answer> {
  const fields = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  const all = { ':method': method, ':path': path, ...fields };
  return requestOverHttp2(rig.kongTlsUrl ?? '', rig.ca, all, body);
}
