import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { KongSide } from './kong-side.js';
import { msgpackSide } from './msgpack-side.js';
import { protobufSide } from './protobuf-side.js';

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
