// A shadow policy beside the deciding one, over both hosts: the client, the upstream and the deciding provider notice nothing of it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { startHostileProvider } from '../support/hostile-provider.js';
import { HOSTS } from '../support/hosts.js';
import { RIG_SECRET, type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

const SHADOW_SECRET = 'shadow-secret-51d0aa';

describe.each(HOSTS)('a shadow policy under %s', (host) => {
  const closing = new Closing();
  let rig: Rig;
  let shadow: PolicyProvider;
  let silent: Awaited<ReturnType<typeof startHostileProvider>>;
  beforeAll(async () => {
    shadow = await startPolicyProvider({
      secret: SHADOW_SECRET,
      rules: [
        { name: 'stricter', match: { phase: 'request', path: '/shadowed/locked' }, deny: { status: 403 } },
        {
          name: 'other',
          match: { phase: 'response' },
          rewrite: { headers: { set: { 'x-seen-by': 'shadow' } } },
        },
        { name: 'own state', match: { phase: 'request' }, state: { of: 'the-shadow-policy' } },
      ],
    });
    closing.add(() => shadow.close());
    silent = await startHostileProvider(undefined, () => {});
    closing.add(() => silent.close());
    const dead = await startHostileProvider(undefined, () => {});
    await dead.close();
    const shadow_shared_secret = SHADOW_SECRET;
    rig = await startRig({
      host,
      rules: [
        { name: 'no', match: { phase: 'request', path: '/shadowed/denied' }, deny: { status: 401 } },
        { name: 'state', match: { phase: 'request' }, state: { of: 'the-live-policy' } },
      ],
      routes: [
        {
          paths: ['/shadowed'],
          config: {
            ...{ shadow_service_url: shadow.url, shadow_ca_certificate: shadow.ca, shadow_shared_secret },
          },
        },
        { paths: ['/silent'], config: { shadow_service_url: silent.url, shadow_shared_secret } },
        { paths: ['/dead'], config: { shadow_service_url: dead.url, shadow_shared_secret } },
      ],
    });
    closing.add(() => rig.close());
  });
  afterAll(() => closing.close());
  beforeEach(() => rig.clear());

  const lines = () =>
    rig
      .log()
      .split('\n')
      .filter((line) => line.includes('"event":"shadow"'));
  const line = async (...parts: string[]) => {
    const found = () => lines().find((one) => parts.every((part) => one.includes(part)));
    await until(`a line with ${parts.join(' and ')}`, () => found() !== undefined);
    return found() ?? '';
  };

  it('denies what goes on unchanged, and the log says so', async () => {
    expect((await rig.send({ path: '/shadowed/locked' })).status).toBe(200);
    expect(rig.upstreamRequests()).toHaveLength(1);
    expect(await line('/shadowed/locked')).toMatch(/"differences":\["permit .{1,3} deny 403"\]/);
  });

  it('allows what is denied', async () => {
    expect((await rig.send({ path: '/shadowed/denied' })).status).toBe(401);
    expect(rig.upstreamRequests()).toEqual([]);
    expect(await line('deny 401')).toMatch(/"differences":\["deny 401 .{1,3} permit"\]/);
  });

  it('is asked about the response with its own state and secret', async () => {
    shadow.clear();
    const got = await rig.send({ path: '/shadowed/a' });
    expect(got.header('x-seen-by')).toBeUndefined();
    expect(await line('"phase":"response"')).toContain('"differences":["header:x-seen-by"]');
    const toShadow = JSON.stringify(shadow.requests);
    const toLive = JSON.stringify(await rig.providerCalls());
    expect(shadow.requests.map(({ phase }) => phase)).toEqual(['request', 'response']);
    expect(toShadow).toContain('the-shadow-policy');
    expect(toShadow).not.toMatch(new RegExp(`the-live-policy|${RIG_SECRET}`));
    expect(toLive).toContain('the-live-policy');
    expect(toLive).not.toMatch(new RegExp(`the-shadow-policy|${SHADOW_SECRET}`));
    expect(rig.log()).not.toContain(SHADOW_SECRET);
  });

  it.each(['/silent/x', '/dead/x'])('holds nobody up: %s', async (path) => {
    for (let i = 0; i < 5; i++) expect((await rig.send({ path })).status).toBe(200);
    expect(rig.upstreamRequests()).toHaveLength(5);
    // The call without an answer is still open, and every client has its response.
    if (path === '/silent/x') await until('the shadow was asked', () => silent.received.length === 5);
  });
});
