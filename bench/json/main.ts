import { fileURLToPath } from 'node:url';
import { Closing } from '../../dev/closing.js';
import { openLanes, PROTOBUF } from '../../dev/kong-connection/lane.js';
import { startEchoProcess } from '../../dev/policy-provider/echo.js';
import { benchConfig } from '../support/bench-config.js';
import { load, warmUp } from '../support/load.js';
import { startOurs, startScript } from '../support/plugin-servers.js';
import { digits, median, printTable } from '../support/report.js';
import { benchRequest } from '../support/requests.js';

/**
 * `npm run bench -- json`: what large text bodies cost the plugin server, whether that grows linearly, and how long they keep
 * other requests waiting. The unit is a bare JSON.stringify and JSON.parse of the same text, done in this process in turns.
 */
const FLOOR = fileURLToPath(new URL('./floor-server.ts', import.meta.url));
const MEGABYTE = 1024 * 1024;
const SIZES = [1, 2, 4, 5, 8];
const ROUNDS = 3;
const REQUESTS = 4;

const closing = new Closing();
try {
  const provider = await startEchoProcess(closing, { secure: true });
  const { url, ca = '' } = provider;
  const ours = await startOurs();
  closing.add(() => ours.end());
  const lanes = await openLanes(PROTOBUF, ours.socket, benchConfig(provider), 2);
  closing.add(() => lanes.map((lane) => lane.close()));
  const [large, other] = lanes;
  if (large === undefined || other === undefined) throw new Error('two connections were asked for');
  const small = benchRequest(0);
  await warmUp([large], small, 2000);

  const rows: string[][] = [];
  for (const size of SIZES) {
    const request = benchRequest(size * MEGABYTE);
    const text = request.body.toString();
    const floor = await startScript(FLOOR, [url, ca, String(size * MEGABYTE)]);
    const floorLanes = await openLanes(PROTOBUF, floor.socket, {}, 1);
    await warmUp([large], request, REQUESTS);
    await warmUp(floorLanes, request, REQUESTS);
    const rounds: { own: number; least: number; json: number; stall: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const own = (await load([large], request, 500, ours.pid)).cpu;
      const least = (await load(floorLanes, request, 500, floor.pid)).cpu;
      const json = bareJson(text);
      // One large request after the other on one connection, small ones on the other.
      const [, waited] = await Promise.all([
        warmUp([large], request, REQUESTS),
        load([other], small, 500, ours.pid),
      ]);
      rounds.push({ own, least, json, stall: waited.max });
    }
    for (const lane of floorLanes) lane.close();
    await floor.end();
    const of = (value: (round: (typeof rounds)[number]) => number) => digits(median(rounds.map(value)));
    rows.push([
      `${size} MB`,
      of(({ json }) => json),
      ...[of(({ own }) => own), of(({ own }) => own / size), of(({ least }) => least)],
      ...[of(({ own, least, json }) => (own - least) / json), of(({ own, json }) => own / json)],
      ...[of(({ stall }) => stall), of(({ stall, json }) => stall / json)],
    ]);
  }
  printTable(
    [
      ...['body', 'JSON ms', 'CPU ms', 'a MB', 'floor', '(CPU - floor) / JSON', 'CPU / JSON'],
      ...['longest wait of a GET, ms', '/ JSON'],
    ],
    rows,
  );
} finally {
  await closing.close();
}

/** Milliseconds of CPU; the median of a few. */
function bareJson(text: string): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    JSON.parse(JSON.stringify({ body: text }));
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return median(times);
}
