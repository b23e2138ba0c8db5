// --phases access: the policy decides over requests; responses go by unasked, and Kong need not buffer them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { type Rig, startRig } from '../support/rig.js';

describe('a plugin with the access phase only', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      rules: [
        { name: 'no', match: { phase: 'request', path: '/no' }, deny: { status: 403 } },
        { name: 'never asked', match: { phase: 'response' }, rewrite: { status: 418 } },
      ],
      pluginServerArgs: ['--phases', 'access'],
      kong: {
        pluginserver_ping_auth_query_cmd: `${process.execPath} ${await builtPluginServer()} --phases access --dump`,
      },
    });
  });
  afterAll(() => rig?.close());

  it('denies and permits requests', async () => {
    expect((await rig.send({ path: '/no' })).status).toBe(403);
    expect(rig.upstreamRequests()).toEqual([]);
    expect((await rig.send({ path: '/yes' })).status).toBe(200);
  });

  it('asks about no response', async () => {
    await rig.clear();
    await rig.send({ path: '/yes' });
    expect((await rig.providerCalls()).map(({ phase }) => phase)).toEqual(['request']);
  });
});
