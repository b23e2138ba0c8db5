import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOSTS } from '../support/hosts.js';
import { requestOverHttp2 } from '../support/http2-client.js';
import { kongCan } from '../support/kong.js';
import { type Rig, startRig } from '../support/rig.js';

describe.each(HOSTS)('HTTP/2 clients under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({
      host,
      kong: { proxy_listen: '127.0.0.1:0, 127.0.0.1:0 ssl http2' },
      routes: [{ paths: ['/allowed'], config: { allow_http2: true } }],
      rules: [
        { name: 'filter', match: { phase: 'response' }, rewrite: { headers: { remove: ['x-internal'] } } },
      ],
    });
  });
  afterAll(() => rig?.close());

  it('400 by default, without any call', async () => {
    expect((await sendHttp2(rig, '/profile')).status).toBe(400);
    expect(rig.upstreamRequests()).toEqual([]);
    expect(await rig.providerCalls()).toEqual([]);
  });

  it.skipIf(!kongCan.bufferHttp2)(
    'with allow_http2 both phases run, and the policy is told 1.1',
    async () => {
      const got = await sendHttp2(rig, '/allowed/profile');
      expect(got.status).toBe(200);
      expect(got.headers['x-internal']).toBeUndefined();
      expect(got.body).toContain('Ada');
      const calls = await rig.providerCalls();
      expect(calls.map(({ payload }) => payload)).toMatchObject([
        { http_version: '1.1' },
        { http_version: '1.1' },
      ]);
    },
  );
});

async function sendHttp2(rig: Rig, path: string) {
  const answer = await requestOverHttp2(rig.kongTlsUrl ?? '', rig.ca, { ':path': path });
  return { ...answer, body: answer.body.toString() };
}
