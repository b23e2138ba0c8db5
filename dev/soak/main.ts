import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type HostName, isSteady, leftBehind, type SoakRow, soak } from './soak.js';

const BUNDLE = fileURLToPath(new URL('../../dist/bin/ping-auth-pluginserver.mjs', import.meta.url));
const HOSTS: readonly HostName[] = ['ping-auth-pluginserver', 'kong-js-pluginserver'];

const flags = new Command('soak')
  .description(
    'Requests for a long time, and what they leave behind in the plugin server. Ends with 1 when ours grows.',
  )
  .option('--minutes <n>', 'how long, for our plugin server', Number, 10)
  .option('--stock-minutes <n>', 'how long, for the stock one; 0: not at all', Number, 2)
  .option('--concurrency <n>', 'requests at a time', Number, 32)
  .parse()
  .opts<{ minutes: number; stockMinutes: number; concurrency: number }>();
if (!existsSync(BUNDLE)) throw new Error('the plugin server is not built: npm run build');

const MIB = 1024 * 1024;
const HEADINGS = ['plugin server', 'requests', 'count', 'RSS MiB', 'heap MiB', 'bytes left per request'];

console.log(`| ${[...HEADINGS, 'file descriptors', 'handles'].join(' | ')} |`);
console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |');
const rows: SoakRow[] = [];
for (const host of HOSTS) {
  const minutes = host === 'ping-auth-pluginserver' ? flags.minutes : flags.stockMinutes;
  if (minutes <= 0) continue;
  for (const row of await soak({ host, bundle: BUNDLE, minutes, concurrency: flags.concurrency })) {
    rows.push(row);
    console.log(`| ${cells(row).join(' | ')} |`);
  }
}
const own = rows.filter(({ host }) => host === 'ping-auth-pluginserver');
const total = own.reduce((sum, { requests }) => sum + requests, 0);
const steady = own.every(isSteady);
console.log(
  `\n${total} requests to ping-auth-pluginserver after its warm-up, ${flags.minutes} minutes in all, ` +
    `on ${availableParallelism()} processors: ${steady ? 'no growth beyond noise' : 'IT GROWS'}.`,
);
process.exit(steady ? 0 : 1);

function cells(row: SoakRow): (string | number)[] {
  const { host, kind, requests, before, after } = row;
  const mib = (bytes: number) => (bytes / MIB).toFixed(1);
  return [
    host,
    kind,
    requests,
    `${mib(before.rss)} → ${mib(after.rss)}`,
    `${mib(before.heapUsed + before.external)} → ${mib(after.heapUsed + after.external)}`,
    leftBehind(row).toFixed(1),
    `${before.fds ?? '?'} → ${after.fds ?? '?'}`,
    `${before.handles} → ${after.handles}`,
  ];
}
