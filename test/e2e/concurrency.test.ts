import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keepAliveAgent } from '../../dev/http-client.js';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { HOSTS, MANY_REQUESTS } from '../support/hosts.js';
import { inParallel } from '../support/in-parallel.js';
import { type Rig, startRig } from '../support/rig.js';
import { echoed } from '../support/seen.js';

const RULES: RuleInput[] = [
  { name: 'own state', match: { phase: 'request', path: '/state' }, state: { id: '{{header.x-test-id}}' } },
  {
    name: 'mark with what came along',
    match: { phase: 'response' },
    rewrite: { headers: { set: { 'x-state-id': '{{state.id}}{{request.header.x-test-id}}' } } },
  },
];

describe.each(HOSTS)('many at once under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ host, rules: RULES });
  });
  afterAll(() => rig?.close());
  beforeEach(() => rig.clear());

  it.each([
    ['state', MANY_REQUESTS[host]],
    ['request', MANY_REQUESTS[host] / 4],
  ])(
    '%s: of %i requests, 40 at once, none gets what belongs to another',
    async (kept, count) => {
      const agent = keepAliveAgent(40);
      const answers = await inParallel(40, count, async (i) => {
        const id = `${kept}-${i}`;
        const got = await rig.send({ path: `/${kept}?n=${i}`, headers: [['X-Test-Id', id]], agent });
        return { id, status: got.status, marked: got.header('x-state-id'), echoed: echoed(got).id };
      });
      agent.destroy();
      const mixedUp = answers.filter(
        ({ id, marked, echoed, status }) => status !== 200 || marked !== id || echoed !== id,
      );
      expect(mixedUp).toEqual([]);
      expect(answers).toHaveLength(count);

      const upstreamIds = rig.upstreamRequests().map(({ id }) => id);
      expect(new Set(upstreamIds).size).toBe(count);
      expect(upstreamIds).toHaveLength(count);
    },
    120_000,
  );
});
