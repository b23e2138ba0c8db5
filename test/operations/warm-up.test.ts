// The warm-up of the real executable: in every process that serves, and unseen (admin.test.ts counts what is not there).
import { afterEach, describe, expect, it } from 'vitest';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

describe('a plugin server that has just started', () => {
  let rig: Rig | undefined;
  afterEach(() => rig?.close());

  const start = async (...args: string[]) => {
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      pluginServerArgs: ['--log-level', 'debug', ...args],
    });
    return rig;
  };
  const warmUps = ({ log }: Rig) => log().match(/"event":"warm_up","requests":\d+/g) ?? [];

  it.each([1, 2])('runs requests of its own in each of %i processes', async (workers) => {
    const started = await start('--workers', String(workers));
    await until('every process has warmed up', () => warmUps(started).length === workers);
    expect(new Set(warmUps(started))).toEqual(new Set(['"event":"warm_up","requests":8']));
    expect(await started.providerCalls()).toEqual([]);
    expect((await started.send({ path: '/yes' })).status).toBe(200);
  });

  it('leaves that with --no-warm-up', async () => {
    const started = await start('--no-warm-up');
    expect((await started.send({ path: '/yes' })).status).toBe(200);
    expect(warmUps(started)).toEqual([]);
  });
});
