// What the existing Lua plugin gets wrong in the access phase, measured on a real Kong; each row must be right here.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { testText } from '../../dev/upstream/answers.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';
import { headersOf, shownHeaders } from '../support/seen.js';

const RULES: RuleInput[] = [
  {
    name: 'the 121st header is taken away',
    match: { phase: 'request', path: '/headers-120' },
    change: { headers: { remove: ['x-n-120'] } },
  },
  {
    name: 'framing headers from the policy',
    match: { phase: 'request', path: '/framing' },
    change: {
      headers: {
        set: {
          'transfer-encoding': 'chunked',
          'content-length': '5',
          connection: 'close, x-other',
          'x-other': 'here',
        },
      },
    },
  },
  {
    name: 'a header name with a space',
    match: { phase: 'request', path: '/bad-name/space' },
    change: { headers: { set: { 'x bad': '1' } } },
  },
  {
    name: 'a header name with a colon',
    match: { phase: 'request', path: '/bad-name/colon' },
    change: { headers: { set: { 'x:bad': '1' } } },
  },
  {
    name: 'a header value with a line break',
    match: { phase: 'request', path: '/bad-name/break' },
    change: { headers: { set: { 'x-bad': '1\r\nx-smuggled: 2' } } },
  },
  {
    name: '64 MB for an answer',
    match: { phase: 'request', path: '/huge' },
    raw: { headers: [['Content-Type', 'application/json']], fill_bytes: 64 * 1024 * 1024 },
  },
];

describe.each(HOSTS)('requests under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({
      host,
      rules: RULES,
      routes: [{ paths: ['/small-limit'], config: { max_request_body_bytes: 20_000 } }],
    });
  });
  afterAll(() => rig?.close());
  beforeEach(() => rig.clear());

  it('150 headers: the policy sees them all, and what it removes is gone', async () => {
    const many = Array.from({ length: 150 }, (_, i): [string, string] => [`X-N-${i}`, `${i}`]);
    const got = await rig.send({ path: '/headers-120', headers: many });
    expect(got.status).toBe(200);
    const [call] = await rig.providerCalls();
    const shown = shownHeaders(call).filter(([name]) => name.startsWith('x-n-'));
    expect(shown).toHaveLength(150);
    const [reached] = rig.upstreamRequests();
    expect(headersOf(reached, 'x-n-120')).toEqual([]);
    expect(headersOf(reached, 'x-n-149')).toEqual(['149']);
    expect(reached?.headers.filter(([name]) => /^x-n-/i.test(name))).toHaveLength(149);
  });

  it('150 query arguments: the policy is shown the raw query, whole', async () => {
    const query = Array.from({ length: 150 }, (_, i) => `a${i}=%2f+${i}&flag${i}`).join('&');
    await rig.send({ path: `/query?${query}` });
    const [call] = await rig.providerCalls();
    expect(call?.payload).toMatchObject({ url: `${rig.kongUrl}/query?${query}` });
    expect(rig.upstreamRequests()[0]?.url).toBe(`/query?${query}`);
  });

  it.each([100, 8 * 1024, 9_000, 100_000])(
    'a body of %i bytes: the policy is shown all of it',
    async (size) => {
      const body = testText(size);
      const got = await rig.send({
        method: 'POST',
        path: '/mirror',
        headers: [['Content-Type', 'text/plain']],
        body,
      });
      const [call] = await rig.providerCalls();
      expect(call?.payload).toMatchObject({ body: body.toString() });
      expect(got.body.equals(body)).toBe(true);
    },
  );

  it('a body over the limit: 413 before any call', async () => {
    const got = await rig.send({ method: 'POST', path: '/small-limit/x', body: testText(20_001) });
    expect(got.status).toBe(413);
    expect(await rig.providerCalls()).toEqual([]);
    expect(rig.upstreamRequests()).toEqual([]);
    const fits = await rig.send({ method: 'POST', path: '/small-limit/x', body: testText(20_000) });
    expect(fits.status).toBe(200);
  });

  it('framing and hop-by-hop headers from the policy: dropped, the request goes through', async () => {
    const got = await rig.send({ method: 'POST', path: '/framing', body: '0123456789' });
    expect(got.status).toBe(200);
    const [reached] = rig.upstreamRequests();
    expect(reached?.bodyText).toBe('0123456789');
    expect(headersOf(reached, 'transfer-encoding')).toEqual([]);
    expect(headersOf(reached, 'content-length')).toEqual(['10']);
    expect(headersOf(reached, 'connection').join()).not.toContain('x-other');
  });

  it.each(['space', 'colon', 'break'])(
    'a header with a %s from the policy: 502, nothing passed on',
    async (kind) => {
      const got = await rig.send({ path: `/bad-name/${kind}` });
      expect(got.status).toBe(502);
      expect(rig.upstreamRequests()).toEqual([]);
    },
  );

  it('an answer of 64 MB: 502', async () => {
    const got = await rig.send({ path: '/huge' });
    expect(got.status).toBe(502);
    expect(rig.upstreamRequests()).toEqual([]);
  });

  it('a method that nginx does not know: 501, and neither policy nor upstream hears of it', async () => {
    const got = await rig.send({ method: 'FOO', path: '/method' });
    expect(got.status).toBe(501);
    expect(await rig.providerCalls()).toEqual([]);
    expect(rig.upstreamRequests()).toEqual([]);
  });
});
