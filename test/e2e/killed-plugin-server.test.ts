import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { HOSTS } from '../support/hosts.js';
import { inParallel } from '../support/in-parallel.js';
import { type Rig, startRig } from '../support/rig.js';
import { shownHeaders } from '../support/seen.js';
import { until } from '../support/until.js';

const COUNT = 60;

const FILTER: RuleInput[] = [
  {
    name: 'some are denied',
    match: { phase: 'request', header: { 'x-kind': 'bad' } },
    deny: { status: 403 },
  },
  {
    name: 'all are filtered',
    match: { phase: 'response' },
    rewrite: { headers: { remove: ['x-internal'], set: { 'x-filtered': 'yes' } }, strip: ['ssn'] },
  },
];

describe.each(HOSTS)('a plugin server that is killed under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ host });
  });
  afterAll(() => rig?.close());

  // Most requests wait for the decision of the slow phase when the server dies.
  it.each([
    ['request', 25],
    ['response', 12],
  ] as const)('in the middle of 60 requests, %s calls slow: nothing passes', async (phase, calls) => {
    await rig.setRules([{ name: 'take time', match: { phase }, delay_ms: 150 }, ...FILTER]);
    expect((await rig.send({ path: '/profile' })).status).toBe(200);
    await rig.clear();

    const victim = rig.pluginServer.pid();
    const all = inParallel(COUNT, COUNT, async (i) => {
      const headers = [
        ['X-Test-Id', `r${i}`],
        ['X-Kind', i % 4 === 0 ? 'bad' : 'good'],
      ] as const;
      try {
        return { id: `r${i}`, got: await rig.send({ path: '/profile', headers }) };
      } catch {
        return { id: `r${i}`, got: undefined };
      }
    });
    const waiting = async () =>
      (await rig.providerCalls()).filter((call) => call.phase === phase).length >= calls;
    await until('enough calls are waiting', waiting);
    process.kill(victim, 'SIGKILL');
    const answers = await all;

    const permitted = new Set(
      (await rig.providerCalls())
        .filter((call) => call.phase === 'request' && call.decision === 'permit')
        .map((call) => shownHeaders(call).find(([name]) => name === 'x-test-id')?.[1]),
    );
    const reached = rig.upstreamRequests().map(({ id }) => id);
    expect(reached.filter((id) => !permitted.has(id))).toEqual([]);

    const passed = answers.filter(({ got }) => got?.status === 200);
    const unfiltered = passed.filter(
      ({ got }) =>
        got?.header('x-filtered') !== 'yes' ||
        got.header('x-internal') !== undefined ||
        /ssn/.test(got.text()),
    );
    expect(unfiltered).toEqual([]);
    const leaked = answers.filter(
      ({ got }) =>
        got !== undefined &&
        got.status !== 200 &&
        (/ssn|Ada/.test(got.text()) || got.header('x-internal') !== undefined),
    );
    expect(leaked).toEqual([]);
    // Or else nothing was killed in the middle of anything.
    expect(answers.filter(({ got }) => got === undefined || got.status >= 500).length).toBeGreaterThan(0);

    await until(
      'a new plugin server serves',
      async () => (await rig.send({ path: '/profile' })).status === 200,
    );
    expect(rig.pluginServer.pid()).not.toBe(victim);
  });
});
