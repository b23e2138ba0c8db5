import { expect, it, onTestFinished } from 'vitest';
import { HOSTS, type Host } from '../support/hosts.js';
import { startRig } from '../support/rig.js';

const MANY = Array.from({ length: 1200 }, (_, i): [string, string] => [`X-N-${i}`, 'v']);
const LETS_THEM_IN = { nginx_proxy_max_headers: 2000 };

it.each<readonly [answer: string, host: Host, kong: object, status: number]>([
  ...HOSTS.map((host) => ['431 from the plugin when Kong lets them in', host, LETS_THEM_IN, 431] as const),
  // Before any host is asked.
  ["400 from Kong by itself with Kong's own limit", 'ping-auth-pluginserver', {}, 400],
])('1,200 headers: %s, under %s', async (_, host, kong, status) => {
  const rig = await startRig({ host, kong: { nginx_proxy_large_client_header_buffers: '8 32k', ...kong } });
  onTestFinished(() => rig.close());
  const got = await rig.send({ headers: MANY });
  expect(got.status).toBe(status);
  expect(await rig.providerCalls()).toEqual([]);
  expect(rig.upstreamRequests()).toEqual([]);
  expect((await rig.send({ headers: MANY.slice(0, 900) })).status).toBe(200);
});
