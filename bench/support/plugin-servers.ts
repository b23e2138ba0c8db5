import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

/**
 * The bundle, built anew when a source is newer; PING_AUTH_PLUGINSERVER names another one to compare with.
 * @param nodeArgs for Node itself, before the script
 */
export async function startOurs(
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Promise<PluginServerProcess> {
  const script = await builtPluginServer();
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

/** For `startScript`: the least that such a plugin can cost. Arguments: provider, its CA, bytes of the body. */
export const FLOOR_SCRIPT = `${ROOT}bench/limit/floor-server.ts`;

/** A plugin server written for a bench. */
export function startScript(file: string, args: readonly string[]): Promise<PluginServerProcess> {
  return start((socket) => ['--import', 'tsx', file, socket, ...args]);
}

async function start(argsFor: (socket: string, folder: string) => string[]): Promise<PluginServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const socket = join(folder, 's.sock');
  const started = performance.now();
  const child = spawn(process.execPath, argsFor(socket, folder), {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: ROOT,
  });
  await until('the plugin server listens', () => child.exitCode === null && accepts(socket));
  return {
    pid: child.pid ?? 0,
    socket,
    startMs: performance.now() - started,
    end: async () => {
      await ended(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
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
