// A vault's secret changes while Kong runs. Kong does not tell; the provider's 401 does.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { kongCan } from '../support/kong.js';
import { type Rig, startRig } from '../support/rig.js';

const VARIABLE = 'RIG_ROTATING_SECRET';

// The stock host cannot ask for a fresh instance: there the 401 stays an error until Kong's configuration is loaded again. A real
// Kong keeps the environment that it was started with, so only the stand-in can show a secret that changes in it.
describe.skipIf(!kongCan.rereadEnvironment)('a secret that rotates', () => {
  let rig: Rig;
  let provider: PolicyProvider;
  let closing: Closing;
  const startProvider = async (secret: string, port = 0) => {
    provider = await startPolicyProvider({ secret, port });
  };
  beforeEach(async () => {
    closing = new Closing();
    process.env[VARIABLE] = 'first-secret';
    closing.add(() => {
      delete process.env[VARIABLE];
    });
    await startProvider('first-secret');
    closing.add(() => provider.close());
    const rotating = {
      service_url: provider.url,
      shared_secret: '{vault://env/rig-rotating-secret}',
      // Each of the providers below makes a certificate of its own.
      verify_service_certificate: false,
    };
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      routes: [{ paths: ['/rotating'], config: rotating }],
    });
    closing.add(() => rig.close());
  });
  afterEach(() => closing.close());

  /** The provider wants another secret from now on. */
  const rotate = async (secret: string) => {
    const port = Number(new URL(provider.url).port);
    await provider.close();
    await startProvider(secret, port);
  };
  const send = async () => (await rig.send({ path: '/rotating' })).status;
  const statuses = () => provider.requests.map(({ status }) => status);

  it('is fetched again after a 401, and the same request goes through with it', async () => {
    expect(await send()).toBe(200);
    await rotate('second-secret');
    process.env[VARIABLE] = 'second-secret';
    expect(await send()).toBe(200);
    expect(statuses()).toEqual([401, 200, 200]);
    expect(rig.upstreamRequests()).toHaveLength(2);
  });

  it('is asked for once and not again and again when Kong has no better one', async () => {
    expect(await send()).toBe(200);
    await rotate('third-secret');
    await rig.clear();
    for (let request = 0; request < 5; request++) expect(await send()).toBe(502);
    expect(rig.upstreamRequests()).toHaveLength(0);
    // The first request asks twice: Kong is asked for a fresh instance, whose secret is the same; within 30 s there is no other restart.
    expect(statuses()).toEqual([401, 401, 401, 401, 401, 401]);
    expect(rig.log()).toContain('provider_secret_refused');
    expect(rig.log()).not.toContain('third-secret');
  });
});
