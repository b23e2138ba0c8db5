import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';
import { headersOf } from '../support/seen.js';

describe.each(HOSTS)('header names that servers read differently, under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ host });
  });
  afterAll(() => rig?.close());
  beforeEach(() => rig.clear());

  it.each([
    [[['Content_Length', '0']]],
    [[['Transfer_Encoding', 'chunked']]],
    [[['Content_Encoding', 'gzip']]],
    [[['X_Forwarded_For', '127.0.0.1']]],
    [
      [
        ['X-Role', 'user'],
        ['X_Role', 'admin'],
      ],
    ],
  ] as const)('%j: 400, and no provider is asked', async (headers) => {
    const got = await rig.send({ method: 'POST', path: '/x', headers, body: '{}' });
    expect([got.status, rig.upstreamRequests(), await rig.providerCalls()]).toEqual([400, [], []]);
  });

  it('Proxy is not shown to the policy, since Kong keeps it from the upstream', async () => {
    expect((await rig.send({ path: '/x', headers: [['Proxy', 'http://evil.example']] })).status).toBe(200);
    const [call] = await rig.providerCalls();
    expect(JSON.stringify(call?.payload)).not.toContain('evil');
    expect(headersOf(rig.upstreamRequests()[0], 'proxy')).toEqual([]);
  });
});
