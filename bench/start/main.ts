import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { builtPluginServer } from '../../test/support/built-plugin-server.js';
import { childrenOf, cpuMs, rssMb, startOurs } from '../support/plugin-servers.js';
import { digits, median, printTable } from '../support/report.js';

/** `npm run bench:start`: --dump, the way to the first connection, idle memory; beside a Node that does nothing. */
const ROUNDS = 7;
const SCRIPT = await builtPluginServer();

const node: number[] = [];
const dump: number[] = [];
const ready: { ms: number; cpu: number; rss: number }[] = [];
for (let round = 0; round < ROUNDS; round++) {
  node.push(await run(['-e', '0']));
  dump.push(await run([SCRIPT, '--dump']));
  const server = await startOurs();
  ready.push({ ms: server.startMs, cpu: cpuMs(server.pid), rss: rssMb(server.pid) });
  await server.end();
}
const workers = await startOurs({ args: ['--workers', '2'] });
const children = childrenOf(workers.pid).map(rssMb);
const parent = rssMb(workers.pid);
await workers.end();

const base = median(node);
printTable(
  ['what', 'ms', '× bare Node', 'CPU ms', 'RSS MB'],
  [
    ['node -e 0', digits(base), '1', '', ''],
    ['--dump', digits(median(dump)), digits(median(dump.map((ms, i) => ms / (node[i] ?? ms)))), '', ''],
    [
      'ready to serve',
      digits(median(ready.map(({ ms }) => ms))),
      digits(median(ready.map(({ ms }, i) => ms / (node[i] ?? ms)))),
      digits(median(ready.map(({ cpu }) => cpu))),
      digits(median(ready.map(({ rss }) => rss))),
    ],
    ['--workers 2: parent', '', '', '', digits(parent)],
    ...children.map((rss, i) => [`--workers 2: worker ${i + 1}`, '', '', '', digits(rss)]),
  ],
);

async function run(args: readonly string[]): Promise<number> {
  const started = performance.now();
  await once(spawn(process.execPath, args, { stdio: 'ignore' }), 'exit');
  return performance.now() - started;
}
