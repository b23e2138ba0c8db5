import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtPluginServer } from '../../test/support/built-plugin-server.js';
import { ALL_FAULTS, type CampaignOptions, isSurvived, runFault } from './campaign.js';
import { createStamps } from './evidence.js';
import { judge } from './load.js';
import { FAILING_OPEN, type FaultStack, type Phase, startFaultStack } from './stack.js';

/** A few requests and a short while for each; `npm run faults` takes its time. */
const SHORT: CampaignOptions = {
  concurrency: 12,
  lastsMs: 400,
  delayMs: 80,
  burst: 160,
  recoveryMs: 25_000,
  streak: 25,
};

/** Other tests run beside these: each start of a worker would warm up. */
const COLD = ['--no-warm-up'];

/** Not here: what waits for deadlines of seconds, and what needs Linux's prlimit. */
const CHOSEN: readonly (readonly [string, Phase])[] = [
  ['SIGKILL a worker', 'access'],
  ['SIGKILL a worker', 'response'],
  ['provider killed', 'response'],
  ['provider lies now and then', 'access'],
  ['body files vanish', 'access'],
  ['clients hang up', 'response'],
  ['a burst of clients', 'access'],
];

describe('under load, with a fault, nothing passes that the policy did not let pass', () => {
  let stack: FaultStack;
  beforeAll(async () => {
    stack = await startFaultStack({
      bundle: await builtPluginServer(),
      workers: 2,
      pluginServerArgs: COLD,
    });
  }, 120_000);
  afterAll(() => stack?.close());

  it.each(CHOSEN)('%s, in the %s phase', { timeout: 60_000 }, async (name, phase) => {
    const fault = ALL_FAULTS.find((candidate) => candidate.name === name);
    if (fault === undefined) throw new Error(`there is no fault ${name}`);
    const report = await runFault(stack, fault, phase, SHORT);
    expect(report).toMatchObject({ hitsWithoutPermit: 0, passedUnevaluated: 0, mixedUp: 0, kongLeaks: 0 });
    expect(report.good).toBeGreaterThan(40);
    expect(report.recoveredMs, 'it came back').toBeDefined();
  });
});

describe('with every switch on that lets something fail open, nothing does because of the client', () => {
  let stack: FaultStack;
  beforeAll(async () => {
    const bundle = await builtPluginServer();
    stack = await startFaultStack({
      ...{ bundle, workers: 2, pluginServerArgs: COLD },
      ...{ config: FAILING_OPEN, failover: true },
    });
  }, 120_000);
  afterAll(() => stack?.close());

  // What others wait is not measured here, where other tests run beside it; `npm run faults` does.
  it.each([
    'event-loop lag, failing open',
    'hostile clients: 8 MiB in 14 bytes of brotli',
    'hostile clients: 8 MiB in gzip, ten to one',
  ])('%s', { timeout: 120_000 }, async (wanted) => {
    const fault = ALL_FAULTS.find(({ name }) => name === wanted);
    if (fault === undefined) throw new Error('there is no such fault');
    const report = await runFault(stack, fault, 'access', { ...SHORT, ...fault.load });
    expect(report).toMatchObject({ hitsWithoutPermit: 0, passedUnevaluated: 0, mixedUp: 0, kongLeaks: 0 });
    expect(report.recoveredMs, 'it came back').toBeDefined();
    if (fault.limits !== undefined) expect(report.rssMiB).toBeLessThanOrEqual(fault.limits.rssMiB);
  });
});

describe('the campaign finds out', () => {
  it('a gateway that was told to fail open', { timeout: 60_000 }, async () => {
    const stack = await startFaultStack({
      bundle: await builtPluginServer(),
      workers: 1,
      pluginServerArgs: COLD,
      config: { fail_open_request: true, fail_open_response: true },
    });
    try {
      const fault = ALL_FAULTS.find(({ name }) => name === 'provider killed');
      if (fault === undefined) throw new Error('there is no such fault');
      const report = await runFault(stack, fault, 'access', SHORT);
      expect(report.hitsWithoutPermit).toBeGreaterThan(0);
      expect(report.passedUnevaluated).toBeGreaterThan(0);
      expect(isSurvived(report)).toBe(false);
    } finally {
      await stack.close();
    }
  });

  const stamps = createStamps('key');
  const upstream = { 'x-internal': 'a-2', 'set-cookie': ['session=a-2'] };

  it.each([
    ['a response that was not filtered', 200, upstream, 'secret of a-2', 'passed'],
    ['a success of unknown origin', 204, {}, '', 'passed'],
    ['a stamp that is not the policy’s', 200, { 'x-stamp': 'lie' }, 'filtered a-2', 'passed'],
    ['an upstream body behind an error status', 502, {}, 'secret of a-2', 'passed'],
    [
      'a filtered response with an upstream cookie',
      200,
      { ...upstream, 'x-stamp': stamps.answer('a-2') },
      '',
      'passed',
    ],
    ['the response to another request', 200, { 'x-stamp': stamps.answer('a-4') }, 'filtered a-4', 'mixed'],
    ['a denial of another request', 403, { 'x-denied': stamps.denial('a-9') }, 'denied', 'mixed'],
    [
      'nothing wrong with a filtered response',
      200,
      { 'x-stamp': stamps.answer('a-2') },
      'filtered a-2',
      'good',
    ],
    ['nothing wrong with an error response', 502, {}, '{"code":"BAD_GATEWAY"}', 'refused'],
  ] as const)('%s', (_, status, headers, body, outcome) => {
    expect(judge('a-2', status, { ...headers } as never, body, stamps).outcome).toBe(outcome);
  });

  it('upstream headers on an error response of ping-auth', () => {
    expect(judge('a-2', 502, { 'x-internal': 'a-2' }, '{"code":"BAD_GATEWAY"}', stamps).leak).toBe(
      'ping-auth',
    );
    expect(judge('a-2', 500, { 'x-internal': 'a-2' }, '{"message":"…"}', stamps).leak).toBe('kong');
  });
});
