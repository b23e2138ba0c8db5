import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { builtPluginServer } from '../../test/support/built-plugin-server.js';
import { until } from '../../test/support/until.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A plugin server in a process of its own; its log goes nowhere. */
export interface PluginServerProcess {
  readonly pid: number;
  readonly socket: string;
  /** From the start of the process to the first connection, milliseconds. */
  readonly startMs: number;
  end(): Promise<void>;
}

export interface OursOptions {
  readonly args?: readonly string[];
  /** For Node itself, before the script. */
  readonly nodeArgs?: readonly string[];
  /** Another bundle than this checkout's. */
  readonly script?: string;
}

/** The bundle, rebuilt when a source is newer; PING_AUTH_PLUGINSERVER names another one to compare with. */
export async function startOurs(options: OursOptions = {}): Promise<PluginServerProcess> {
  const script = options.script ?? (await builtPluginServer());
  const { args = [], nodeArgs = [] } = options;
  return start((socket, folder) => [...nodeArgs, script, '--socket', socket, '--body-dir', folder, ...args]);
}

/** The same plugin under kong-pdk's own kong-js-pluginserver. */
export async function startStock(): Promise<PluginServerProcess> {
  await builtPluginServer();
  const script = join(
    createRequire(import.meta.url).resolve('kong-pdk/package.json'),
    '../bin/kong-js-pluginserver',
  );
  return start((_socket, folder) => [
    ...[script, '--plugins-directory', `${ROOT}dist/js-plugins`],
    ...['--kong-prefix', folder, '--sock-name', 's.sock'],
  ]);
}

/** A plugin server written for a bench. */
export function startScript(file: string, args: readonly string[]): Promise<PluginServerProcess> {
  return start((socket) => ['--import', 'tsx', file, socket, ...args]);
}

/** limit/yardstick-server.ts, bundled like ours: what tsx adds to functions would count. */
export function startYardstick(): Promise<PluginServerProcess> {
  return start(async (socket, folder) => {
    const outfile = join(folder, 'yardstick.cjs');
    const entryPoints = [`${ROOT}bench/limit/yardstick-server.ts`];
    await build({ entryPoints, outfile, bundle: true, platform: 'node', target: 'node20.18' });
    return [outfile, socket];
  });
}

async function start(
  argsFor: (socket: string, folder: string) => string[] | Promise<string[]>,
): Promise<PluginServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const socket = join(folder, 's.sock');
  const args = await argsFor(socket, folder);
  const started = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: ROOT });
  const end = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until('the plugin server listens', () => child.exitCode === null && accepts(socket));
  } catch (error) {
    await end();
    throw error;
  }
  return { pid: child.pid ?? 0, socket, startMs: performance.now() - started, end };
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 3000).unref();
  });
}

/** CPU time of a process and its children so far, all threads, milliseconds. Linux only: from /proc. */
export function cpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [running = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    nanoseconds += Number(running);
  }
  return nanoseconds / 1e6 + childrenOf(pid).reduce((sum, child) => sum + cpuMs(child), 0);
}

/** Resident memory of a process, megabytes. */
export function rssMb(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number).filter(Boolean);
}
