import { describe, expect, it, onTestFinished } from 'vitest';
import { HOSTS } from '../support/hosts.js';
import { startRig } from '../support/rig.js';

const MANY = Array.from({ length: 1200 }, (_, i): [string, string] => [`X-N-${i}`, 'v']);

describe.each(HOSTS)('1,200 headers under %s', (host) => {
  it.each([
    ['431 from the plugin when Kong lets them in', { nginx_proxy_max_headers: 2000 }, 431],
    ["400 from Kong by itself with Kong's own limit", {}, 400],
  ])('%s', async (_, kong, status) => {
    const rig = await startRig({ host, kong: { nginx_proxy_large_client_header_buffers: '8 32k', ...kong } });
    onTestFinished(() => rig.close());
    const got = await rig.send({ headers: MANY });
    expect(got.status).toBe(status);
    expect(rig.providerCalls()).toEqual([]);
    expect(rig.upstreamRequests()).toEqual([]);
    expect((await rig.send({ headers: MANY.slice(0, 900) })).status).toBe(200);
  });
});
