// Ping's own acceptance cases for an adapter, each with the request call's knowledge kept as `state` and as `request`.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { answerPath } from '../../dev/upstream/answers.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';
import { headersOf } from '../support/seen.js';

const RULES: RuleInput[] = [
  {
    name: 'state, if asked for',
    match: { header: { 'x-keep': 'state' } },
    state: { member: '{{header.x-member}}' },
  },
  {
    name: 'case 1',
    match: { phase: 'request', path: '/case1' },
    change: { headers: { remove: ['x-taken'], set: { 'x-given': 'by policy' } } },
  },
  {
    name: 'case 2',
    match: { phase: 'response', path: '/case2/**' },
    rewrite: { headers: { remove: ['x-internal'] } },
  },
  {
    name: 'case 3',
    match: { phase: 'request', path: '/case3' },
    change: { query: { remove: ['secret'], set: { tenant: 'a b' } } },
  },
  {
    name: 'case 4 with state',
    match: { phase: 'response', path: '/case4', state: { member: 'no' } },
    rewrite: { status: 403, headers: { set: { 'content-type': 'text/plain' } }, body: 'members only' },
  },
  {
    name: 'case 4 with request',
    match: { phase: 'response', path: '/case4', request: { header: { 'x-member': 'no' } } },
    rewrite: { status: 403, headers: { set: { 'content-type': 'text/plain' } }, body: 'members only' },
  },
  { name: 'case 5', match: { phase: 'request', path: '/case5' }, change: { strip: ['card.cvc', 'debug'] } },
  {
    name: 'case 6',
    match: { phase: 'response', method: 'PATCH', path: '/case6' },
    rewrite: { status: 402, reason: 'Payment Required', body: 'pay first' },
  },
];

describe.each(HOSTS)('acceptance under %s', (host) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ host, rules: RULES });
  });
  afterAll(() => rig?.close());
  beforeEach(() => rig.clear());

  describe.each(['state', 'request'])('with %s', (kept) => {
    const KEEP = ['X-Keep', kept] as const;

    /** What the response call carried, and nothing of the other kind. */
    async function expectKept(): Promise<void> {
      const [, response] = await rig.providerCalls();
      expect(response?.payload).toHaveProperty(kept);
      expect(response?.payload).not.toHaveProperty(kept === 'state' ? 'request' : 'state');
    }

    it('1: a header of the client is removed and another added', async () => {
      const got = await rig.send({ path: '/case1', headers: [KEEP, ['X-Taken', 'a'], ['X-Stays', 'b']] });
      expect(got.status).toBe(200);
      const [reached] = rig.upstreamRequests();
      expect(headersOf(reached, 'x-taken')).toEqual([]);
      expect(headersOf(reached, 'x-given')).toEqual(['by policy']);
      expect(headersOf(reached, 'x-stays')).toEqual(['b']);
      await expectKept();
    });

    it('2: a response header is removed, the others stay', async () => {
      const told = answerPath({
        headers: [
          ['X-Internal', 'host-17'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ],
        body: 'content',
      });
      const got = await rig.send({ path: `/case2${told}`, headers: [KEEP] });
      expect(got.status).toBe(200);
      expect(got.header('x-internal')).toBeUndefined();
      expect(got.all('set-cookie')).toEqual(['a=1', 'b=2']);
      expect(got.text()).toBe('content');
      await expectKept();
    });

    it('3: query arguments are rewritten', async () => {
      await rig.send({ path: '/case3?keep=%2Fx&secret=1&secret=2', headers: [KEEP] });
      expect(rig.upstreamRequests().map(({ url }) => url)).toEqual(['/case3?keep=%2Fx&tenant=a%20b']);
      await expectKept();
    });

    it('4: a 200 becomes a 403 because of what the request call knew', async () => {
      const got = await rig.send({ path: '/case4', headers: [KEEP, ['X-Member', 'no']] });
      expect([got.status, got.text()]).toEqual([403, 'members only']);
      expect(rig.upstreamRequests()).toHaveLength(1);
      await expectKept();
      const member = await rig.send({ path: '/case4', headers: [KEEP, ['X-Member', 'yes']] });
      expect(member.status).toBe(200);
    });

    it('5: a property is stripped from a JSON body and the answer comes through', async () => {
      const got = await rig.send({
        method: 'POST',
        path: '/case5',
        headers: [KEEP, ['Content-Type', 'application/json']],
        body: '{"amount":1,"card":{"cvc":"123","last4":"4242"},"debug":true}',
      });
      const [reached] = rig.upstreamRequests();
      const stripped = '{"amount":1,"card":{"last4":"4242"}}';
      expect(reached?.bodyText).toBe(stripped);
      expect(headersOf(reached, 'content-length')).toEqual([String(stripped.length)]);
      expect(got.json()).toEqual(JSON.parse(JSON.stringify(reached)));
      await expectKept();
    });

    it("6: a PATCH's answer becomes 402 with a message", async () => {
      const got = await rig.send({ method: 'PATCH', path: '/case6', headers: [KEEP], body: '{}' });
      expect([got.status, got.reason, got.text()]).toEqual([402, 'Payment Required', 'pay first']);
      expect(got.header('content-length')).toBe(String('pay first'.length));
      expect(rig.upstreamRequests()).toHaveLength(1);
      await expectKept();
    });
  });
});
