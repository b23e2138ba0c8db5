// What the page decides without a browser: filters, verdicts, what the plots show.
import { describe, expect, it } from 'vitest';
import { decisionOf } from './page/decision.js';
import { matcher, NO_FILTERS, readFilters, writeFilters } from './page/filters.js';
import { seriesOf, stacked } from './page/series.js';
import type { Row } from './wire.js';

const permit: Row = { key: 1, time: 1000, method: 'GET', path: '/Orders', access: { outcome: 'permit' } };
const refuse: Row = {
  key: 2,
  time: 2500,
  route: 'r-1',
  access: { outcome: 'permit', providerMs: 5 },
  response: { outcome: 'refuse', code: 'provider_timeout', status: 504, providerMs: 300 },
};
const monitored: Row = {
  key: 3,
  access: { outcome: 'monitor_deny', status: 403 },
  response: { outcome: 'pass' },
};

describe('the filters', () => {
  it('come back out of a URL as they went in', () => {
    const filters = {
      decisions: ['deny', 'refuse'] as const,
      route: 'r 1',
      code: 'provider_timeout',
      mcp: 'tools/call',
      shadow: 'different',
      tool: 'delete_customer',
      text: 'a&b=c',
      slower: 12.5,
      from: 1_700_000_000_123,
      to: 1_700_000_001_000,
      sort: 'slowest' as const,
      isGrouped: true,
    };
    expect(readFilters(`?${writeFilters(filters)}`)).toEqual(filters);
    expect(writeFilters(NO_FILTERS)).toBe('');
  });

  it('leave out of a URL what they do not understand', () => {
    expect(readFilters('?decision=other,deny&slower=-1&from=yesterday&x=1')).toEqual({
      ...NO_FILTERS,
      decisions: ['deny'],
    });
  });

  it.each([
    [{}, [1, 2, 3]],
    [{ decisions: ['refuse'] as const }, [2]],
    [{ decisions: ['deny', 'permit'] as const }, [1, 3]],
    [{ route: 'r-1' }, [2]],
    [{ code: 'provider_timeout' }, [2]],
    [{ text: ' orders' }, [1]],
    [{ text: '504' }, [2]],
    [{ slower: 100 }, [2]],
    [{ from: 1001 }, [2]],
    [{ from: 500, to: 1000 }, [1]],
  ])('%j', (change, keys) => {
    const found = [permit, refuse, monitored].filter(matcher({ ...NO_FILTERS, ...change }));
    expect(found.map(({ key }) => key)).toEqual(keys);
  });
});

it('of both phases, the one that matters more decides', () => {
  expect(decisionOf(permit)).toMatchObject({ kind: 'permit', isKnown: true });
  expect(decisionOf(refuse)).toMatchObject({ kind: 'refuse', status: 504, code: 'provider_timeout' });
  expect(decisionOf(monitored)).toMatchObject({ kind: 'deny', isMonitored: true });
  expect(decisionOf({ key: 4 }).isKnown).toBe(false);
});

describe('the plots', () => {
  it('count decisions a second, and give the provider’s p50 and p95', () => {
    const rows = Array.from(
      { length: 20 },
      (_, i): Row => ({
        key: i,
        time: 10_000,
        access: { outcome: i < 5 ? 'deny' : 'permit', providerMs: i + 1 },
      }),
    );
    const { times, step, rates, p50, p95 } = seriesOf(rows, 0, 100_000);
    const at = times.indexOf(10.5);
    expect([step, times.length]).toEqual([1, 101]);
    expect(rates.map((rate) => rate[at])).toEqual([15, 0, 5, 0, 0]);
    expect(stacked(rates).map((rate) => rate[at])).toEqual([15, 15, 20, 20, 20]);
    expect([p50[at], p95[at], p50[0]]).toEqual([10, 19, null]);
  });

  it('stay small, whatever the times in a log are', () => {
    expect(seriesOf([permit], 0, 4e12).times.length).toBeLessThan(300);
    expect(seriesOf([permit], 5, 5).times).toHaveLength(1);
  });
});
