// The policy provider is away, slow or has had enough; the Lua plugin's 500s and wrong Retry-After are rows of its list.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Closing } from '../../dev/closing.js';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, type RouteOptions, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

/** One provider each, so that one that has had enough does not hold up the other tests. */
const LIMITED: Readonly<Record<string, RuleInput['error']>> = {
  seconds: { status: 429, retry_after: 20 },
  'an HTTP date': { status: 429, retry_after_date_in_s: 20 },
  nothing: { status: 429 },
};

describe.each(HOSTS)('trouble with the policy provider under %s', (host) => {
  let rig: Rig;
  const limited = new Map<string, PolicyProvider>();
  const closing = new Closing();
  beforeAll(async () => {
    const dead = await startPolicyProvider();
    await dead.close();
    const limitedRoutes: RouteOptions[] = [];
    for (const [index, [form, error]] of Object.entries(LIMITED).entries()) {
      const provider = await startPolicyProvider({ rules: [{ name: 'enough', error }] });
      closing.add(() => provider.close());
      limited.set(form, provider);
      const config = { service_url: provider.url, ca_certificate: provider.ca };
      limitedRoutes.push(
        { paths: [`/limited-${index}`], config },
        { paths: [`/also-limited-${index}`], config: { ...config, max_request_body_bytes: 999 } },
      );
    }
    rig = await startRig({
      host,
      rules: [
        { name: 'reset', match: { path: '/reset' }, deliver: { stop: { at: 'start', how: 'reset' } } },
        { name: 'in the head', match: { path: '/head' }, deliver: { stop: { at: 'head', how: 'reset' } } },
        { name: 'in the body', match: { path: '/body' }, deliver: { stop: { at: 'body', how: 'reset' } } },
        { name: 'never', match: { path: '/patience/**' }, deliver: { stop: { at: 'start', how: 'hang' } } },
        {
          name: 'too much',
          match: { path: '/too-much' },
          error: { status: 413, code: 'PAYLOAD_TOO_LARGE', message: 'over 1 MB' },
        },
      ],
      routes: [
        { paths: ['/dead'], config: { service_url: dead.url } },
        { paths: ['/patience'], config: { connection_timeout_ms: 2000, circuit_failures: 0 } },
        { paths: ['/wrong-secret'], config: { shared_secret: 'not-the-one' } },
        ...limitedRoutes,
      ],
    });
    closing.add(() => rig.close());
  });
  afterAll(() => closing.close());
  beforeEach(() => rig.clear());

  it.each([
    ['not there', '/dead/x', 502, 'provider_unreachable'],
    ['never answers', '/patience/x', 504, 'provider_timeout'],
    ['resets before an answer', '/reset', 502, 'provider_connection_lost'],
    ['resets in the head', '/head', 502, 'provider_connection_lost'],
    ['resets in the body', '/body', 502, 'provider_connection_lost'],
    ['refuses the secret', '/wrong-secret/x', 502, 'provider_secret_refused'],
  ])('%s: refused, and the log says why', async (_, path, status, code) => {
    let got = await rig.send({ path });
    // While the machine is busy, a late event loop counts as overload, not as the provider's time-out.
    for (let tries = 1; code === 'provider_timeout' && got.status === 503 && tries < 8; tries += 1) {
      expect(rig.upstreamRequests()).toEqual([]);
      got = await rig.send({ path });
    }
    expect(got.status).toBe(status);
    expect(rig.upstreamRequests()).toEqual([]);
    const requestId = (got.json() as { request_id: string }).request_id;
    const ownLines = () =>
      rig
        .log()
        .split('\n')
        .filter((line) => line.includes(requestId));
    await until('the decision is in the log', () => ownLines().some((line) => line.includes('"decision"')));
    expect(ownLines().find((line) => line.includes('"decision"'))).toContain(`"code":"${code}"`);
    // What an admin sees at Kong's default level; at most two a second for each code.
    expect(rig.logged('error', new RegExp(`^ping-auth: ${code} [0-9a-f]{32}: `))).toBe(true);
  });

  it.each(Object.keys(LIMITED).map((form, index) => [form, index] as const))(
    '429 with %s: the time that is left, no further call, for all routes of that provider and no other',
    async (form, index) => {
      const first = await rig.send({ path: `/limited-${index}/x` });
      expect(first.status).toBe(429);
      const seconds = Number(first.header('retry-after'));
      if (form === 'nothing') expect(seconds).toBeGreaterThan(0);
      else expect(seconds).toBeGreaterThan(15);
      expect(seconds).toBeLessThanOrEqual(20);
      expect(first.json()).toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.any(String) });
      if (form === 'seconds') {
        await until('less time is left', async () => {
          const later = await rig.send({ path: `/also-limited-${index}/x` });
          expect(later.status).toBe(429);
          return Number(later.header('retry-after')) < seconds;
        });
      } else expect((await rig.send({ path: `/also-limited-${index}/x` })).status).toBe(429);
      expect(limited.get(form)?.requests).toHaveLength(1);
      expect((await rig.send({ path: '/other' })).status).toBe(200);
      expect(rig.upstreamRequests().map(({ url }) => url)).toEqual(['/other']);
    },
  );

  it('413 of the policy provider goes to the client with its JSON', async () => {
    const got = await rig.send({ method: 'POST', path: '/too-much', body: 'x' });
    expect(got.status).toBe(413);
    expect(got.json()).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', message: 'over 1 MB' });
    expect(rig.upstreamRequests()).toEqual([]);
  });
});
