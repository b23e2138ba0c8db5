import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Closing } from '../../dev/closing.js';
import { openLanes, PROTOBUF } from '../../dev/kong-connection/lane.js';
import { startEchoProcess } from '../../dev/policy-provider/echo.js';
import { benchConfig } from '../support/bench-config.js';
import { load, warmUp } from '../support/load.js';
import { startOurs } from '../support/plugin-servers.js';
import { printTable } from '../support/report.js';
import { benchRequest } from '../support/requests.js';
import { type Spot, spots } from './profile.js';

/** `npm run bench -- cpu [bytes of the body]`: where the plugin server's time goes, the twenty largest spots, and by module. */
const bytes = Number(process.argv[2] ?? 0);
const CONNECTIONS = bytes >= 1024 * 1024 ? 4 : 16;
const WARM_UP_REQUESTS = bytes >= 1024 * 1024 ? 20 : 6000;
const MEASURED_MS = 8000;

const closing = new Closing();
const folder = closing.folder('profile-');
try {
  const provider = await startEchoProcess(closing, { secure: true });
  const ours = await startOurs({
    nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500'],
  });
  const lanes = await openLanes(PROTOBUF, ours.socket, benchConfig(provider), CONNECTIONS);
  await warmUp(lanes, benchRequest(bytes), WARM_UP_REQUESTS);
  const { requests, cpu } = await load(lanes, benchRequest(bytes), MEASURED_MS, ours.pid);
  for (const lane of lanes) lane.close();
  await ours.end();
  const [file] = readdirSync(folder);
  if (file === undefined) throw new Error('Node wrote no profile');
  const all = spots(join(folder, file));
  console.log(
    `${requests} requests with ${bytes} bytes of body, ${cpu.toFixed(3)} ms CPU each (under the profiler)\n`,
  );
  printTable(
    ['function', 'share', 'module'],
    all.slice(0, 20).map(({ name, share, where }) => [name, percent(share), where]),
  );
  console.log();
  printTable(
    ['part', 'share'],
    byPart(all).map(([part, share]) => [part, percent(share)]),
  );
} finally {
  await closing.close();
}

function byPart(all: readonly Spot[]): [string, number][] {
  const parts = new Map<string, number>();
  for (const { where, name, share } of all) {
    const part = /^\(/.test(name) && where === 'V8' ? name : partOf(where);
    parts.set(part, (parts.get(part) ?? 0) + share);
  }
  return [...parts].sort((a, b) => b[1] - a[1]).slice(0, 15);
}

/** `src/sideband`, `undici`, `Node`. */
function partOf(where: string): string {
  if (where.startsWith('src/')) return where.split('/').slice(0, 2).join('/');
  return where.includes('/') ? (where.split('/')[0] ?? where) : 'Node and V8';
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
