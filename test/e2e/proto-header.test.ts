import { expect, it, onTestFinished } from 'vitest';
import { startRig } from '../support/rig.js';
import { shownHeaders } from '../support/seen.js';
import { until } from '../support/until.js';

it('a header named __proto__ is a header under our own host', async () => {
  const rig = await startRig({ host: 'ping-auth-pluginserver' });
  onTestFinished(() => rig.close());
  const got = await rig.send({ path: '/proto', headers: [['__proto__', 'x']] });
  expect(got.status).toBe(200);
  const [call] = await rig.providerCalls();
  expect(call && shownHeaders(call)).toContainEqual(['__proto__', 'x']);
  expect(rig.upstreamRequests().map(({ headers }) => headers)).toEqual([
    expect.arrayContaining([['__proto__', 'x']]),
  ]);
});

// The stock server's decoder throws on this name and nobody catches it: any client can end that process. The guard keeps the
// request from passing.
it('a header named __proto__ ends the stock host, and reaches neither policy nor upstream', async () => {
  const rig = await startRig({ host: 'kong-js-pluginserver' });
  onTestFinished(() => rig.close());
  expect((await rig.send({ path: '/before' })).status).toBe(200);
  const victim = rig.pluginServer.pid();
  await rig.clear();
  expect((await rig.send({ path: '/proto', headers: [['__proto__', 'x']] })).status).toBe(503);
  expect(await rig.providerCalls()).toEqual([]);
  expect(rig.upstreamRequests()).toEqual([]);
  await until('the host serves again', async () => (await rig.send({ path: '/after' })).status === 200);
  expect(rig.pluginServer.pid()).not.toBe(victim);
});
