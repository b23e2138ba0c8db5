import type { Row } from '../wire.js';
import { decisionOf, KINDS, providerMs } from './decision.js';

/** What the two plots show. All lists have one entry for each step of time. */
export interface Series {
  /** Seconds since 1970: the middle of each step. */
  readonly times: number[];
  /** Seconds of one step. */
  readonly step: number;
  /** Decisions a second, by kind in the order of KINDS. */
  readonly rates: readonly (readonly number[])[];
  /** Milliseconds of the policy provider; null where it was not asked. */
  readonly p50: (number | null)[];
  readonly p95: (number | null)[];
}

const STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400, 604800,
];
const MAX_STEPS = 120;

/** @param from, to milliseconds since 1970: what the plots span, whether or not there are rows */
export function seriesOf(rows: readonly Row[], from: number, to: number): Series {
  const span = Math.max(to - from, 1) / 1000;
  const step = STEPS.find((seconds) => span / seconds <= MAX_STEPS) ?? Math.ceil(span / MAX_STEPS);
  const first = Math.floor(from / 1000 / step);
  const count = Math.max(1, Math.min(Math.floor(to / 1000 / step) - first + 1, 2 * MAX_STEPS));
  const rates = KINDS.map(() => new Array<number>(count).fill(0));
  const calls: number[][] = Array.from({ length: count }, () => []);
  for (const row of rows) {
    if (row.time === undefined) continue;
    const at = Math.floor(row.time / 1000 / step) - first;
    if (at < 0 || at >= count) continue;
    const kind = rates[KINDS.indexOf(decisionOf(row).kind)];
    if (kind !== undefined) kind[at] = (kind[at] ?? 0) + 1 / step;
    const ms = providerMs(row);
    if (ms !== undefined) calls[at]?.push(ms);
  }
  for (const list of calls) list.sort((a, b) => a - b);
  return {
    times: Array.from({ length: count }, (_, index) => (first + index + 0.5) * step),
    step,
    rates,
    p50: calls.map((list) => quantile(list, 0.5)),
    p95: calls.map((list) => quantile(list, 0.95)),
  };
}

/** The value that so many are not above (nearest rank). */
function quantile(sorted: readonly number[], share: number): number | null {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  // The axis has powers of ten, and no zero.
  return value === undefined ? null : Math.max(value, 0.1);
}

/** For stacked bars: each kind with all kinds below it. */
export function stacked(rates: Series['rates']): number[][] {
  const sums = new Array<number>(rates[0]?.length ?? 0).fill(0);
  return rates.map((rate) =>
    rate.map((value, index) => {
      const sum = (sums[index] ?? 0) + value;
      sums[index] = sum;
      return sum;
    }),
  );
}
