// A vault's secret changes while Kong runs. Kong does not tell; the provider's 401 does.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { type Rig, startRig } from '../support/rig.js';

const VARIABLE = 'RIG_ROTATING_SECRET';

// The stock host cannot ask for a fresh instance: there the 401 stays a refusal until Kong's configuration is loaded anew.
describe('a secret that rotates', () => {
  let rig: Rig;
  let provider: PolicyProvider;
  const closing = new Closing();
  const startProvider = async (secret: string, port = 0) => {
    provider = await startPolicyProvider({ secret, port });
  };
  beforeAll(async () => {
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
  afterAll(() => closing.close());
  beforeEach(() => rig.clear());

  const rotate = async (secret: string) => {
    const port = Number(new URL(provider.url).port);
    await provider.close();
    await startProvider(secret, port);
  };
  const verdicts = () => provider.requests.map(({ status }) => status);

  it('is fetched anew after a 401, and the same request goes through with it', async () => {
    expect((await rig.send({ path: '/rotating' })).status).toBe(200);
    await rotate('second-secret');
    process.env[VARIABLE] = 'second-secret';
    expect((await rig.send({ path: '/rotating' })).status).toBe(200);
    expect(verdicts()).toEqual([401, 200, 200]);
    expect(rig.upstreamRequests()).toHaveLength(2);
  });

  it('is asked for once and not again and again when Kong has no better one', async () => {
    await rotate('third-secret');
    for (let request = 0; request < 5; request++) {
      expect((await rig.send({ path: '/rotating' })).status).toBe(502);
    }
    expect(rig.upstreamRequests()).toHaveLength(0);
    // Five refusals; and the restart of a moment ago leaves room for no other within 30 s.
    expect(verdicts()).toEqual([401, 401, 401, 401, 401]);
    expect(rig.log()).toContain('provider_secret_refused');
    expect(rig.log()).not.toContain('third-secret');
  });
});
