import { startProcess } from '../../dev/child-process.js';
import { Closing } from '../../dev/closing.js';
import { benchRequest } from '../kong/bench-request.js';
import { openProtobufSides } from '../kong/protobuf-side.js';
import { benchConfig, type EchoProvider } from '../support/bench-config.js';
import { type LoadResult, load, warmUp } from '../support/load.js';
import { FLOOR_SCRIPT, startOurs, startScript } from '../support/plugin-servers.js';
import { digits, median } from '../support/statistics.js';
import { printTable } from '../support/table.js';

/**
 * `npm run bench:limit`: the plugin server's CPU time for a request, against the floor (floor-server.ts) over the same kind
 * of socket and with the same provider, in turns. What is above the floor is the plugin's own work.
 */
const BODIES = [0, 1024, 100 * 1024];
const CONNECTIONS = 16;
const ROUNDS = 5;
const ROUND_MS = 1000;
const WARM_UP_REQUESTS = 4000;

const closing = new Closing();
try {
  const provider = await startProcess<EchoProvider>('../support/echo-provider.ts', import.meta.url);
  closing.add(() => provider.end());
  const { url, ca } = provider.ready;
  const ours = await startOurs();
  closing.add(() => ours.end());
  const sides = await openProtobufSides(ours.socket, benchConfig(provider.ready), CONNECTIONS);
  closing.add(() => sides.map((side) => side.close()));

  const rows: string[][] = [];
  for (const bytes of BODIES) {
    const request = benchRequest(bytes);
    const floor = await startScript(FLOOR_SCRIPT, [url, ca, String(bytes)]);
    const floorSides = await openProtobufSides(floor.socket, {}, CONNECTIONS);
    const pairs: (readonly [LoadResult, LoadResult])[] = [];
    await warmUp(sides, request, WARM_UP_REQUESTS);
    await warmUp(floorSides, request, WARM_UP_REQUESTS);
    for (let round = 0; round < ROUNDS; round++) {
      const own = await load(sides, request, ROUND_MS, ours.pid);
      const least = await load(floorSides, request, ROUND_MS, floor.pid);
      pairs.push([own, least]);
    }
    for (const side of floorSides) side.close();
    await floor.end();
    const cpu = (which: 0 | 1) => digits(median(pairs.map((pair) => pair[which].cpu)));
    const ratio = digits(median(pairs.map(([own, least]) => own.cpu / least.cpu)));
    const speed = digits(median(pairs.map(([own, least]) => own.perSecond / least.perSecond)));
    rows.push([String(bytes), cpu(0), cpu(1), ratio, speed]);
  }
  printTable(['body bytes', 'CPU ms a request', 'floor', 'ratio', 'req/s over the floor'], rows);
} finally {
  await closing.close();
}
