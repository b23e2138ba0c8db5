// The policy provider is away, slow or has had enough; the Lua plugin's 500s and wrong Retry-After are rows of its list.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

describe.each(HOSTS)('trouble with the policy provider under %s', (host) => {
  let rig: Rig;
  let limited: PolicyProvider;
  beforeAll(async () => {
    limited = await startPolicyProvider();
    const dead = await startPolicyProvider();
    await dead.close();
    const limitedConfig = { service_url: limited.url, ca_certificate: limited.ca };
    rig = await startRig({
      host,
      rules: [
        { name: 'reset', match: { path: '/reset' }, deliver: { stop: { at: 'start', how: 'reset' } } },
        { name: 'in the head', match: { path: '/head' }, deliver: { stop: { at: 'head', how: 'reset' } } },
        { name: 'in the body', match: { path: '/body' }, deliver: { stop: { at: 'body', how: 'reset' } } },
        { name: 'never', match: { path: '/patience/**' }, deliver: { stop: { at: 'start', how: 'hang' } } },
      ],
      routes: [
        { paths: ['/dead'], config: { service_url: dead.url } },
        { paths: ['/patience'], config: { connection_timeout_ms: 400 } },
        { paths: ['/wrong-secret'], config: { shared_secret: 'not-the-one' } },
        { paths: ['/limited'], config: limitedConfig },
        { paths: ['/also-limited'], config: { ...limitedConfig, connection_timeout_ms: 9000 } },
      ],
    });
  });
  afterAll(async () => {
    await rig?.close();
    await limited?.close();
  });
  beforeEach(() => rig.clear());

  it.each([
    ['not there', '/dead/x', 502, 'provider_unreachable'],
    ['resets before an answer', '/reset', 502, 'provider_unreachable'],
    ['resets in the head', '/head', 502, 'provider_unreachable'],
    ['resets in the body', '/body', 502, 'provider_unreachable'],
    ['never answers', '/patience/x', 504, 'provider_timeout'],
    ['refuses the secret', '/wrong-secret/x', 502, 'provider_secret_refused'],
  ])('%s: refused, and the log says why', async (_, path, status, code) => {
    const got = await rig.send({ path });
    expect(got.status).toBe(status);
    expect(rig.upstreamRequests()).toEqual([]);
    await until(`the log names ${code}`, () => rig.log().includes(code));
  });

  it.each([
    ['seconds', { retry_after: 20 }],
    ['an HTTP date', { retry_after_date_in_s: 20 }],
  ])(
    '429 with %s: the time that is left, no further call, for all routes of that provider and no other',
    async (_, form) => {
      // A provider that was not asked before is not held back.
      const fresh = await startPolicyProvider({
        rules: [{ name: 'enough', error: { status: 429, ...form } }],
      });
      const own = await startRig({
        host,
        routes: [
          { paths: ['/limited'], config: { service_url: fresh.url, ca_certificate: fresh.ca } },
          {
            paths: ['/also'],
            config: { service_url: fresh.url, ca_certificate: fresh.ca, connection_timeout_ms: 9000 },
          },
        ],
      });
      try {
        const first = await own.send({ path: '/limited/x' });
        expect(first.status).toBe(429);
        expect(Number(first.header('retry-after'))).toBeGreaterThan(15);
        expect(Number(first.header('retry-after'))).toBeLessThanOrEqual(20);
        expect(first.json()).toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.any(String) });
        await until('less time is left', async () => {
          const later = await own.send({ path: '/also/x' });
          expect(later.status).toBe(429);
          return Number(later.header('retry-after')) < Number(first.header('retry-after'));
        });
        expect(fresh.requests).toHaveLength(1);
        expect((await own.send({ path: '/other' })).status).toBe(200);
        expect(own.upstreamRequests().map(({ url }) => url)).toEqual(['/other']);
      } finally {
        await own.close();
        await fresh.close();
      }
    },
  );

  it('429 without Retry-After: a time above 0', async () => {
    limited.setRules([{ name: 'enough', error: { status: 429 } }]);
    const got = await rig.send({ path: '/limited/x' });
    expect(got.status).toBe(429);
    expect(Number(got.header('retry-after'))).toBeGreaterThan(0);
  });

  it('413 of the policy provider goes to the client with its JSON', async () => {
    await rig.setRules([
      { name: 'too much', error: { status: 413, code: 'PAYLOAD_TOO_LARGE', message: 'over 1 MB' } },
    ]);
    const got = await rig.send({ method: 'POST', path: '/x', body: 'x' });
    expect(got.status).toBe(413);
    expect(got.json()).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', message: 'over 1 MB' });
    expect(rig.upstreamRequests()).toEqual([]);
  });
});
