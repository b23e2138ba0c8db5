// What the existing Lua plugin gets wrong in the response phase, measured on a real Kong; each row must be right here.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { answerPath } from '../../dev/upstream/answers.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';
import { headersOf } from '../support/seen.js';

const RULES: RuleInput[] = [
  { name: 'error', match: { phase: 'response', path: '/fails/error/**' }, error: { status: 500 } },
  {
    name: 'reset',
    match: { phase: 'response', path: '/fails/reset/**' },
    deliver: { stop: { at: 'start', how: 'reset' } },
  },
  { name: 'not JSON', match: { phase: 'response', path: '/fails/html/**' }, raw: { body: '<html>' } },
  { name: 'no headers', match: { phase: 'response', path: '/fails/shape/**' }, lie: { remove: ['headers'] } },
  {
    name: 'bad status',
    match: { phase: 'response', path: '/fails/code/**' },
    lie: { set: { response_code: '99' } },
  },
  { name: 'shorter', match: { phase: 'response', path: '/shorter/**' }, rewrite: { body: 'shorter\n' } },
  { name: 'longer', match: { phase: 'response', path: '/longer/**' }, rewrite: { body: 'x'.repeat(5000) } },
  { name: 'erased', match: { phase: 'response', path: '/erased/**' }, lie: { remove: ['body'] } },
];

describe.each(HOSTS)('responses under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ host, rules: RULES });
  });
  afterAll(() => rig?.close());
  beforeEach(() => rig.clear());

  it.each(['error', 'reset', 'html', 'shape', 'code'])(
    'the response call fails (%s): our own error, not one header or byte of the upstream',
    async (kind) => {
      const told = answerPath({
        headers: [
          ['Set-Cookie', 'session=secret'],
          ['ETag', '"v1"'],
          ['X-Internal', 'host-17'],
          ['Content-Type', 'text/x-upstream'],
          ['Cache-Control', 'max-age=60'],
        ],
        body: 'content of the upstream',
      });
      const got = await rig.send({ path: `/fails/${kind}${told}` });
      expect(got.status).toBe(502);
      expect(rig.upstreamRequests()).toHaveLength(1);
      for (const name of ['set-cookie', 'etag', 'x-internal']) expect(got.all(name), name).toEqual([]);
      expect(got.header('content-type')).toMatch(/^application\/json/);
      expect(got.header('cache-control')).not.toBe('max-age=60');
      expect(got.text()).not.toContain('content of the upstream');
      expect(got.json()).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    },
  );

  it.each([
    ['shorter', 'shorter\n'],
    ['longer', 'x'.repeat(5000)],
    ['erased', ''],
  ])('a body made %s: the length is that of the new one', async (kind, body) => {
    const got = await rig.send({ path: `/${kind}/text/370` });
    expect(got.status).toBe(200);
    expect(got.text()).toBe(body);
    expect(got.all('content-length')).toEqual([String(body.length)]);
  });

  it('a 204 of the upstream stays a plain 204', async () => {
    const got = await rig.send({ path: '/empty204' });
    expect(got.status).toBe(204);
    expect(got.all('content-length')).toEqual([]);
    expect(got.all('transfer-encoding')).toEqual([]);
    expect(got.header('x-upstream')).toBe('empty');
    expect((await rig.providerCalls()).map(({ phase }) => phase)).toEqual(['request', 'response']);
  });

  it('the upstream is asked not to compress, so that the policy can read', async () => {
    await rig.send({ path: '/plain', headers: [['Accept-Encoding', 'gzip, br']] });
    expect(headersOf(rig.upstreamRequests()[0], 'accept-encoding')).toEqual([]);
  });
});
