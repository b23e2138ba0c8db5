// What Kong Manager's form makes of a pasted PEM: its fields are one line, so every line break becomes a blank.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../dev/certificates.js';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

describe('a certificate pasted into a form', () => {
  let rig: Rig;
  beforeAll(async () => {
    const { key } = await (await createAuthority()).issue();
    const half = key.slice(0, 100).replaceAll('\n', ' ');
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      routes: [
        {
          paths: ['/broken'],
          config: { client_certificate: '-----BEGIN CERTIFICATE----- x', client_key: half },
        },
      ],
      config: ({ ca_certificate: ca }) => ({
        ca_certificate: String(ca).replaceAll('\n', ' '),
        // As a cleared select of Kong Manager is stored; a required field would make Kong refuse the file.
        mode: null,
      }),
    });
  });
  afterAll(() => rig?.close());

  it('is trusted', async () => {
    expect((await rig.send({ path: '/orders' })).status).toBe(200);
    expect(rig.upstreamRequests()).toHaveLength(1);
  });

  it("is named in Kong's log at its default level where it is no PEM, without the key", async () => {
    expect((await rig.send({ path: '/broken' })).status).toBe(500);
    const line = () =>
      rig
        .log()
        .split('\n')
        .find((text) => text.includes('config_invalid') && text.includes('[error]'));
    await until('Kong logs the problem', () => line() !== undefined);
    expect(line()).toMatch(/client_certificate: is cut off: .*expected PEM text.*client_key: is cut off/);
    expect(rig.log()).not.toMatch(/MIGH|MIIE/);
  });
});
