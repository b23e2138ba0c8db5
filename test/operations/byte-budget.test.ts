import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inParallel } from '../support/in-parallel.js';
import { type Rig, startRig } from '../support/rig.js';

const CLIENTS = 100;
const MIB = 1024 * 1024;
/** What 100 clients with so much would hold at once without a budget: 100 × 4 × half a MiB. */
const BODY = JSON.stringify({ text: 'x'.repeat(MIB / 2) });
const BUDGET = 8 * MIB;
/** Node's own, the code, and garbage that V8 has not collected yet. */
const BESIDES = 160 * MIB;

describe('a hundred clients with large bodies at once', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      pluginServerArgs: ['--max-inflight-bytes', String(BUDGET)],
    });
  });
  afterAll(() => rig?.close());

  it('all get an answer, the policy is asked about all that pass, and memory stays bounded', async () => {
    const answers = await inParallel(CLIENTS, CLIENTS, () =>
      rig.send({ method: 'POST', path: '/', body: BODY, headers: [['Content-Type', 'application/json']] }),
    );
    const passed = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 503);
    expect(passed.length + refused.length).toBe(CLIENTS);
    expect(passed.length).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) expect(answer.header('retry-after')).toBe('1');
    // Some are refused on their way back: what the upstream was asked for is more than a request.
    expect(rig.upstreamRequests().length).toBeGreaterThanOrEqual(passed.length);
    expect(rig.upstreamRequests().length).toBeLessThan(CLIENTS / 2);
    expect(peakBytes(rig.pluginServer.pid())).toBeLessThan(BUDGET + BESIDES);
  });
});

/** The most that the process ever had in memory. */
function peakBytes(pid: number): number {
  const [, kilobytes = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
