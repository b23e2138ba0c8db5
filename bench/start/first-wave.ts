import { openLanes, PROTOBUF } from '../../dev/kong-connection/lane.js';
import type { ProviderAddress } from '../../dev/policy-provider/echo.js';
import { until } from '../../test/support/until.js';
import { benchConfig } from '../support/bench-config.js';
import { load } from '../support/load.js';
import { cpuMs, rssMb, startOurs } from '../support/plugin-servers.js';
import { smallRequest } from '../support/requests.js';

/** How a server that has just started fares when many clients come at once. Times in milliseconds. */
export interface FirstWave {
  /** CPU from the start of the process until it rests. */
  readonly startCpu: number;
  /** Resident memory then, megabytes. */
  readonly rss: number;
  /** The first request of each client: CPU of the server for all of them, and how long they took. */
  readonly cpu: number;
  readonly p50: number;
  readonly max: number;
  /** Of the second that follows. */
  readonly nextP50: number;
  readonly nextP99: number;
}

const GET = smallRequest(0);
const CLIENTS = 100;
/** A process that used less than this between two looks, and so many times on end, does nothing any more. */
const RESTING_MS = 1;
const LOOKS = 20;

/** @param args of the plugin server */
export async function firstWave(provider: ProviderAddress, args: readonly string[]): Promise<FirstWave> {
  const server = await startOurs({ args });
  try {
    let startCpu = 0;
    let restful = 0;
    await until('the server rests', () => {
      const before = startCpu;
      startCpu = cpuMs(server.pid);
      restful = startCpu - before < RESTING_MS ? restful + 1 : 0;
      return restful === LOOKS;
    });
    const rss = rssMb(server.pid);
    const lanes = await openLanes(PROTOBUF, server.socket, benchConfig(provider), CLIENTS);
    const wave = await load(lanes, GET, 0, server.pid);
    const next = await load(lanes, GET, 1000, server.pid);
    for (const lane of lanes) lane.close();
    return {
      startCpu,
      rss,
      cpu: wave.cpu * wave.requests,
      p50: wave.p50,
      max: wave.max,
      nextP50: next.p50,
      nextP99: next.p99,
    };
  } finally {
    await server.end();
  }
}
