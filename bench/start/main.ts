import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Closing } from '../../dev/closing.js';
import { startEchoProcess } from '../../dev/policy-provider/echo.js';
import { builtPluginServer } from '../../test/support/built-plugin-server.js';
import { childrenOf, cpuMs, rssMb, startOurs } from '../support/plugin-servers.js';
import { digits, median, printTable } from '../support/report.js';
import { type FirstWave, firstWave } from './first-wave.js';

/**
 * `npm run bench -- start`: --dump, the way to the first connection, idle memory; beside a Node that does nothing. Then the first
 * requests after a start, with and without the warm-up, in turns.
 */
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

const closing = new Closing();
const waves: Record<'with' | 'without', FirstWave[]> = { with: [], without: [] };
try {
  const provider = await startEchoProcess(closing, { secure: true });
  // The first round is the load generator's and the provider's own warm-up.
  for (let round = 0; round <= ROUNDS; round++) {
    const order = [
      ['with', []],
      ['without', ['--no-warm-up']],
    ] as const;
    for (const [name, args] of round % 2 === 0 ? order : [...order].reverse()) {
      const wave = await firstWave(provider, args);
      if (round > 0) waves[name].push(wave);
    }
  }
} finally {
  await closing.close();
}
console.log('');
printTable(
  [
    'warm-up',
    'CPU of the start, ms',
    'RSS at rest, MB',
    'CPU of 100 at once',
    'their p50, ms',
    'max',
    'p50 of the next second',
    'p99',
  ],
  (['with', 'without'] as const).map((name) => [
    name,
    ...(['startCpu', 'rss', 'cpu', 'p50', 'max', 'nextP50', 'nextP99'] as const).map((figure) =>
      digits(median(waves[name].map((wave) => wave[figure]))),
    ),
  ]),
);

async function run(args: readonly string[]): Promise<number> {
  const started = performance.now();
  await once(spawn(process.execPath, args, { stdio: 'ignore' }), 'exit');
  return performance.now() - started;
}
