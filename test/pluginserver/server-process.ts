import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { vi } from 'vitest';
import { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import { atEnd } from './probe-server.js';

let folder: string | undefined;

/** Bundles probe-executable.ts like the real executable. Call in beforeAll, and {@link removeExecutable} in afterAll. */
export async function buildExecutable(): Promise<string> {
  folder = mkdtempSync(join(tmpdir(), 'px-'));
  const outfile = join(folder, 'probe.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./probe-executable.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.18',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return outfile;
}

export function removeExecutable(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}

export interface LogRecord {
  readonly event?: string;
  readonly worker?: number;
}

export class ServerProcess {
  readonly child: ChildProcess;
  readonly socketPath: string;
  output = '';
  readonly #exit: Promise<unknown[]>;

  /** Starts the executable on a socket; it is killed when the test ends. */
  constructor(executable: string, socketPath: string, ...options: string[]) {
    this.socketPath = socketPath;
    // A warm-up would take the processor from the tests beside this one.
    const args = ['--socket', socketPath, '--no-warm-up', ...options];
    this.child = spawn(process.execPath, [executable, ...args]);
    this.child.stdout?.on('data', (chunk) => {
      this.output += chunk;
    });
    this.child.stderr?.on('data', (chunk) => {
      this.output += chunk;
    });
    this.#exit = once(this.child, 'exit');
    atEnd(async () => {
      this.child.kill('SIGKILL');
      await this.#exit;
    });
  }

  get log(): LogRecord[] {
    return this.output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  }

  /** Waits until the log has `count` lines of an event. */
  async logged(event: string, count = 1): Promise<LogRecord[]> {
    const lines = (): LogRecord[] => this.log.filter((line) => line.event === event);
    await vi.waitFor(
      () => {
        if (lines().length < count) throw new Error(`no ${count} × ${event} in:\n${this.output}`);
      },
      { timeout: 40_000, interval: 10 },
    );
    return lines();
  }

  async connect(): Promise<KongConnection> {
    const side = await KongConnection.connect(this.socketPath);
    atEnd(() => side.destroy());
    return side;
  }

  /** Resolves to [code, signal]. */
  ends(): Promise<unknown[]> {
    return this.#exit;
  }
}
