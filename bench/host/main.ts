import { Closing } from '../../dev/closing.js';
import { MSGPACK, openLanes, PROTOBUF } from '../../dev/kong-connection/lane.js';
import { startEchoProcess } from '../../dev/policy-provider/echo.js';
import { benchConfig } from '../support/bench-config.js';
import { type LoadResult, load, warmUp } from '../support/load.js';
import { startOurs, startStock } from '../support/plugin-servers.js';
import { digits, median, printTable } from '../support/report.js';
import { benchRequest } from '../support/requests.js';

/**
 * `npm run bench -- host`: our plugin server against the stock kong-js-pluginserver, the same plugin in both, in turns of a
 * second or less. The load generator plays Kong and costs little; the policy provider is a process of its own.
 */
const ALL_BODIES = [0, 1024, 100 * 1024, 1024 * 1024, 5 * 1024 * 1024];
/** `npm run bench -- host 0 1024`: only these bodies. */
const asked = process.argv.slice(2).map(Number);
const BODIES = asked.length > 0 ? asked : ALL_BODIES;
const CONNECTIONS = [1, 16];
/** Large bodies take their time: every connection has to get one through in a round. */
const rounds = (bytes: number) => (bytes >= 1024 * 1024 ? 1 : 3);
const ROUND_MS = 700;
const WARM_UP_REQUESTS = 1500;
/** On a slow machine the last lines are left out. */
const LAST_START_MS = 60_000;

const closing = new Closing();
try {
  const provider = await startEchoProcess(closing, { secure: true });
  const config = benchConfig(provider);
  const ours = await startOurs({ args: ['--max-events', '64'] });
  closing.add(() => ours.end());
  const stock = await startStock();
  closing.add(() => stock.end());
  const most = Math.max(...CONNECTIONS);
  const hosts = [
    { pid: ours.pid, lanes: await openLanes(PROTOBUF, ours.socket, config, most) },
    { pid: stock.pid, lanes: await openLanes(MSGPACK, stock.socket, config, most) },
  ] as const;
  closing.add(() => {
    for (const lane of hosts.flatMap(({ lanes }) => lanes)) lane.close();
  });

  for (const { lanes } of hosts) await warmUp(lanes, benchRequest(0), WARM_UP_REQUESTS);
  const rows: string[][] = [];
  let leftOut = 0;
  for (const bytes of BODIES) {
    for (const connections of CONNECTIONS) {
      if (performance.now() > LAST_START_MS) {
        leftOut++;
        continue;
      }
      const request = benchRequest(bytes);
      for (const { lanes } of hosts) await warmUp(lanes.slice(0, 1), request, 2);
      const pairs: (readonly [LoadResult, LoadResult])[] = [];
      for (let round = 0; round < rounds(bytes); round++) {
        const results: LoadResult[] = [];
        for (const { pid, lanes } of hosts)
          results.push(await load(lanes.slice(0, connections), request, ROUND_MS, pid));
        const [own, other] = results;
        if (own && other) pairs.push([own, other]);
      }
      rows.push(row(bytes, connections, pairs));
    }
  }
  printTable(
    [
      ...['body', 'connections', 'req/s ours', 'stock', 'ratio', 'p50 ms ours', 'stock', 'ratio'],
      ...['p99 ms ours', 'stock', 'CPU ms ours', 'stock', 'ratio'],
    ],
    rows,
  );
  if (leftOut > 0)
    console.log(`\n${leftOut} left out for lack of time; name the bodies: bench -- host 1048576`);
} finally {
  await closing.close();
}

/** Medians over the rounds; ratios are taken within a round and then their median. */
function row(
  bytes: number,
  connections: number,
  pairs: readonly (readonly [LoadResult, LoadResult])[],
): string[] {
  const of = (which: 0 | 1, value: (result: LoadResult) => number) =>
    digits(median(pairs.map((pair) => value(pair[which]))));
  const ratio = (value: (result: LoadResult) => number) =>
    digits(median(pairs.map(([own, other]) => value(own) / value(other))));
  const both = (value: (result: LoadResult) => number) => [of(0, value), of(1, value)];
  const name =
    bytes >= 1024 * 1024 ? `${bytes / 1024 / 1024} MB` : bytes >= 1024 ? `${bytes / 1024} kB` : '0';
  const perSecond = (result: LoadResult) => result.perSecond;
  const p50 = (result: LoadResult) => result.p50;
  const cpu = (result: LoadResult) => result.cpu;
  return [
    ...[name, String(connections), ...both(perSecond), ratio(perSecond), ...both(p50), ratio(p50)],
    ...[...both((result) => result.p99), ...both(cpu), ratio(cpu)],
  ];
}
