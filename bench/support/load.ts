import type { Lane, LaneRequest } from '../../dev/kong-connection/lane.js';
import { cpuMs } from './plugin-servers.js';
import { quantile } from './report.js';

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Milliseconds of CPU that `pid` used for one request. */
  readonly cpu: number;
}

/** All lanes send one request after the other for so long, and at least one each. */
export async function load(
  lanes: readonly Lane[],
  request: LaneRequest,
  milliseconds: number,
  pid: number,
): Promise<LoadResult> {
  const times: number[] = [];
  const cpu = cpuMs(pid);
  const start = performance.now();
  await Promise.all(
    lanes.map(async (lane) => {
      let before = start;
      do {
        await lane.request(request);
        const now = performance.now();
        times.push(now - before);
        before = now;
      } while (before - start < milliseconds);
    }),
  );
  const elapsed = performance.now() - start;
  return {
    requests: times.length,
    perSecond: (times.length * 1000) / elapsed,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    max: times.reduce((most, time) => Math.max(most, time), 0),
    cpu: (cpuMs(pid) - cpu) / times.length,
  };
}

/** Until the server has seen so many requests: V8 compiles what is hot only after thousands of them. */
export async function warmUp(lanes: readonly Lane[], request: LaneRequest, requests: number): Promise<void> {
  let left = requests;
  await Promise.all(
    lanes.map(async (lane) => {
      while (left-- > 0) await lane.request(request);
    }),
  );
}
