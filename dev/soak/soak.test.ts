import { describe, expect, it } from 'vitest';
import { builtPluginServer } from '../../test/support/built-plugin-server.js';
import { isSteady, leftBehind, type SoakRow, soak } from './soak.js';

it('allowed, denied and filtered requests leave no handle behind in our plugin server', {
  timeout: 60_000,
}, async () => {
  const bundle = await builtPluginServer();
  const rows = await soak({
    host: 'ping-auth-pluginserver',
    bundle,
    minutes: 0.5,
    requests: 150,
    concurrency: 8,
  });
  expect(rows.map(({ kind }) => kind)).toEqual(['allowed', 'denied', 'filtered']);
  for (const { requests, before, after } of rows) {
    expect(requests).toBeGreaterThan(10);
    // The connections to the policy provider may come and go.
    expect(after.handles - before.handles).toBeLessThan(20);
  }
});

describe('the soak calls it growth', () => {
  const sample = { rss: 1e8, heapUsed: 2e7, external: 1e6, handles: 4, fds: 50 };
  const row = (requests: number, after: Partial<typeof sample>): SoakRow => {
    return {
      host: 'ping-auth-pluginserver',
      kind: 'denied',
      requests,
      before: sample,
      after: { ...sample, ...after },
    };
  };

  it('when a kilobyte stays behind for each of 100,000 requests, and not when a cache fills', () => {
    const leak = row(100_000, { heapUsed: sample.heapUsed + 100_000 * 1000 });
    expect(leftBehind(leak)).toBe(1000);
    expect(isSteady(leak)).toBe(false);
    expect(isSteady(row(100_000, { heapUsed: sample.heapUsed + 2e6 }))).toBe(true);
  });

  it('when file descriptors or handles stay behind', () => {
    expect(isSteady(row(1000, { fds: 1050 }))).toBe(false);
    expect(isSteady(row(1000, { handles: 1004 }))).toBe(false);
  });
});
