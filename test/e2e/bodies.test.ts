import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testBytes, testText } from '../../dev/upstream/answers.js';
import { HOSTS, LARGE_BODY_KB } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';

const KB = 1024;

describe.each(HOSTS)('bodies under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({
      host,
      // The policy returns no state, so Kong keeps what it was shown.
      config: { max_request_context_bytes: 16 * KB * KB },
      routes: [{ paths: ['/small-context'], config: { max_request_context_bytes: KB * KB } }],
    });
  });
  afterAll(() => rig?.close());
  beforeEach(() => rig.clear());

  it.each([
    ['256 binary bytes', testBytes(256), 'application/octet-stream'],
    [`${LARGE_BODY_KB[host]} KB of text`, testText(LARGE_BODY_KB[host] * KB), 'text/plain'],
    [`${LARGE_BODY_KB[host]} KB of binary`, testBytes(LARGE_BODY_KB[host] * KB), 'application/octet-stream'],
    [
      'text of several bytes a character',
      Buffer.from('Grüße, 你好, 👋\u0000\u2028'),
      'text/plain; charset=utf-8',
    ],
    ['a byte order mark', Buffer.from('\ufeff{"a":1}'), 'application/json'],
    ['one byte', Buffer.from('x'), 'text/plain'],
  ])('%s: unchanged in both directions', async (_, body, type) => {
    const got = await rig.send({ method: 'POST', path: '/mirror', headers: [['Content-Type', type]], body });
    expect(got.status).toBe(200);
    const [reached] = rig.upstreamRequests();
    expect(reached?.bodyLength).toBe(body.length);
    expect(reached?.bodySha256).toBe(createHash('sha256').update(body).digest('hex'));
    expect(got.body.equals(body)).toBe(true);
    // nginx names the charset of a text that does not say it.
    expect(got.header('content-type')?.replace('; charset=UTF-8', '')).toBe(type);
    expect((await rig.providerCalls()).map(({ phase, decision }) => [phase, decision])).toEqual([
      ['request', 'permit'],
      ['response', 'answer'],
    ]);
  });

  it('a request that Kong would have to keep whole is refused over the limit, and never gets to the upstream', async () => {
    const body = testText(2 * KB * KB);
    const headers = [['Content-Type', 'text/plain']] as const;
    const got = await rig.send({ method: 'POST', path: '/small-context/mirror', headers, body });
    expect([got.status, JSON.parse(got.body.toString()).code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(rig.upstreamRequests()).toEqual([]);
  });

  it('a text body is shown to the policy in both calls, a binary one in none', async () => {
    await rig.send({ method: 'POST', path: '/mirror', body: testText(50_000) });
    const text = await rig.providerCalls();
    expect(text.map(({ payload }) => payload)).toMatchObject([
      { body: testText(50_000).toString() },
      { body: testText(50_000).toString() },
    ]);
    await rig.clear();
    const headers = [['Content-Type', 'image/png']] as const;
    await rig.send({ method: 'POST', path: '/mirror', headers, body: testBytes(50_000) });
    const binary = await rig.providerCalls();
    expect(binary).toHaveLength(2);
    for (const { payload } of binary) expect(payload).not.toHaveProperty('body');
  });

  it('a compressed answer of an upstream that compresses all the same is shown, and passes untouched', async () => {
    const got = await rig.send({ path: '/gzip' });
    expect(got.header('content-encoding')).toBe('gzip');
    expect(gunzipSync(got.body)).toEqual(testText(2000));
    const [, response] = await rig.providerCalls();
    expect(response?.payload).toMatchObject({ body: testText(2000).toString() });
  });

  it('a chunked request and a streamed answer arrive whole', async () => {
    const got = await rig.send({
      method: 'POST',
      path: '/mirror',
      headers: [
        ['Transfer-Encoding', 'chunked'],
        ['Content-Type', 'text/plain'],
      ],
      body: testText(30_000),
    });
    expect(got.text()).toBe(testText(30_000).toString());
    expect((await rig.send({ path: '/stream/3' })).text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
  });
});
