import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { startProcess } from '../child-process.js';
import { KINDS, type Kind, type KongSide, msgpackSide, oneRequest, protobufSide } from './kong-side.js';

export interface SoakOptions {
  readonly host: HostName;
  readonly bundle: string;
  readonly minutes: number;
  /** No more than so many in the warm-up and of each kind, however quick the machine is. Default: as many as there is time for. */
  readonly requests?: number;
  readonly concurrency: number;
}

/** One kind of request, a long time of it. */
export interface SoakRow {
  readonly host: HostName;
  readonly kind: Kind;
  readonly requests: number;
  readonly before: Sample;
  readonly after: Sample;
}

/** Share of the time for the warm-up, in which all kinds run; the kinds share the rest. */
const WARM_UP = 0.2;

/** @throws Error when a request ends in another way than its kind says. */
export async function soak(options: SoakOptions): Promise<SoakRow[]> {
  const policy = await startProcess<{ url: string }>('./policy-process.ts', import.meta.url, {
    bundled: true,
  });
  const server = await startServer(options.host, options.bundle);
  try {
    const id = await server.kong.start({
      service_url: policy.ready.url,
      shared_secret: 'soak-secret',
      secret_header_name: 'CLIENT-TOKEN',
    });
    const ms = options.minutes * 60_000;
    await run(server, id, options, ms * WARM_UP, (n) => KINDS[n % KINDS.length] ?? 'allowed');
    const rows: SoakRow[] = [];
    let before = await server.measure();
    for (const kind of KINDS) {
      const time = (ms * (1 - WARM_UP)) / KINDS.length;
      const requests = await run(server, id, options, time, () => kind);
      const after = await server.measure();
      rows.push({ host: options.host, kind, requests, before, after });
      before = after;
    }
    return rows;
  } finally {
    await server.close();
    await policy.end('SIGKILL');
  }
}

async function run(
  { kong }: ServerUnderTest,
  id: number,
  { concurrency, requests: atMost = Number.POSITIVE_INFINITY }: SoakOptions,
  forMs: number,
  kindOf: (n: number) => Kind,
): Promise<number> {
  const end = performance.now() + forMs;
  let requests = 0;
  const lane = async () => {
    while (performance.now() < end && requests < atMost) await oneRequest(kong, id, kindOf(requests++));
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return requests;
}

/** Bytes of heap that stay behind for every request. */
export function leftBehind({ before, after, requests }: SoakRow): number {
  return (after.heapUsed + after.external - before.heapUsed - before.external) / requests;
}

/** Caches and compiled code grow by this much without meaning anything. */
const NOISE_BYTES = 4 * 1024 * 1024;

/** No growth beyond noise. */
export function isSteady(row: SoakRow): boolean {
  const { before, after } = row;
  // The connections to the policy provider come and go.
  const fds = (after.fds ?? 0) - (before.fds ?? 0);
  return leftBehind(row) * row.requests < NOISE_BYTES && fds < 50 && after.handles - before.handles < 50;
}

export type HostName = 'ping-auth-pluginserver' | 'kong-js-pluginserver';

/** After a garbage collection. */
export interface Sample {
  /** Bytes. */
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Sockets, timers and the like that Node keeps. */
  readonly handles: number;
  /** undefined where there is no /proc. */
  readonly fds: number | undefined;
}

export interface ServerUnderTest {
  readonly kong: KongSide;
  measure(): Promise<Sample>;
  close(): Promise<void>;
}

const START_MS = 30_000;
const PROBE = fileURLToPath(new URL('./report-memory.mjs', import.meta.url));
const MODULE = fileURLToPath(new URL('../../src/plugin/module.ts', import.meta.url));

/** Starts a plugin server of its own that nobody else talks to. @param bundle of our own plugin server */
export async function startServer(host: HostName, bundle: string): Promise<ServerUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'ping-auth-soak-'));
  const socket = join(folder, 'plugin.sock');
  const report = join(folder, 'memory.json');
  const args = host === 'ping-auth-pluginserver' ? ours(folder, socket, bundle) : await stock(folder);
  const child = spawn(process.execPath, ['--expose-gc', '--import', PROBE, ...args], {
    env: { ...process.env, SOAK_REPORT: report, TS_NODE_TRANSPILE_ONLY: 'true' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await appears(socket, child);
  const kong = host === 'ping-auth-pluginserver' ? protobufSide(socket) : msgpackSide(socket);
  return {
    kong,
    async measure() {
      // What lanes left open says nothing about the server.
      kong.close();
      await pause(300);
      rmSync(report, { force: true });
      child.kill('SIGUSR2');
      await appears(report, child);
      const fds = existsSync('/proc/self/fd') ? readdirSync(`/proc/${child.pid}/fd`).length : undefined;
      return { ...JSON.parse(readFileSync(report, 'utf8')), fds };
    },
    async close() {
      kong.close();
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ours(folder: string, socket: string, bundle: string): string[] {
  // A copy: somebody may build while the soak runs.
  const file = join(folder, 'pluginserver.mjs');
  copyFileSync(bundle, file);
  return [file, '--socket', socket, '--log-level', 'warn', '--workers', '1'];
}

/** kong-pdk loads its plugins with require(), so the plugin goes there as one CommonJS file. */
async function stock(folder: string): Promise<string[]> {
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  await build({
    entryPoints: [MODULE],
    outfile: join(plugins, 'ping-auth.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
  });
  const bin = createRequire(import.meta.url).resolve('kong-pdk/bin/kong-js-pluginserver');
  return [bin, '--plugins-directory', plugins, '--kong-prefix', folder, '--sock-name', 'plugin.sock'];
}

async function appears(path: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (!existsSync(path)) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`no ${path} from the plugin server`);
    await pause(20);
  }
}
