import { expect, it } from 'vitest';
import { HOSTS } from '../support/hosts.js';
import { startRig } from '../support/rig.js';
import { until } from '../support/until.js';

// The stock server's decoder throws on this name and nobody catches it: any client can end that process. The guard keeps
// the request from passing; our server takes the name for what it is.
it.each(HOSTS)('a header named __proto__ reaches no upstream without a permit under %s', async (host) => {
  const rig = await startRig({ host });
  try {
    expect((await rig.send({ path: '/before' })).status).toBe(200);
    await rig.clear();
    const got = await rig.send({ path: '/proto', headers: [['__proto__', 'x']] });
    const permitted = (await rig.providerCalls()).filter(({ decision }) => decision === 'permit').length;
    expect(rig.upstreamRequests().length).toBeLessThanOrEqual(permitted);
    if (host === 'kong-js-pluginserver') expect(got.status).toBe(503);
    await until('the host serves', async () => (await rig.send({ path: '/after' })).status === 200);
  } finally {
    await rig.close();
  }
});
