import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { KongLog } from '../kong-log.js';

/** Kong starts a process that ended again, at most this often. */
const RESPAWN_MS = 1000;
const STOP_MS = 10_000;

/** A plugin server that Kong manages: output to the log, started again when it ends, SIGTERM on stop. */
export class PluginProcess {
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #stopping = false;

  constructor(
    private readonly name: string,
    private readonly command: string,
    private readonly log: KongLog,
  ) {}

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    this.#startedAt = Date.now();
    this.log.write('notice', `Starting ${this.name}`);
    const child = spawn('/bin/sh', ['-c', `exec ${this.command} 2>&1`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.log.write('info', `[${this.name}:${child.pid}] ${line}`);
    });
    child.on('error', (error) => this.log.write('error', `${this.name}: ${error.message}`));
    child.on('exit', (code, signal) => {
      this.log.write(
        'notice',
        `external pluginserver '${this.name}' terminated: ${signal ?? `exit ${code}`}`,
      );
      if (this.#child === child) this.#child = undefined;
      if (this.#stopping) return;
      this.#timer = setTimeout(() => this.start(), Math.max(0, this.#startedAt + RESPAWN_MS - Date.now()));
    });
  }

  /** SIGTERM, then waits for the end. Kong itself never sends SIGKILL; a test must not leave a process behind. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const kill = setTimeout(() => {
        this.log.write(
          'alert',
          `${this.name} did not end ${STOP_MS} ms after SIGTERM; the stand-in killed it`,
        );
        child.kill('SIGKILL');
      }, STOP_MS);
      child.once('exit', () => {
        clearTimeout(kill);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }
}

/** Waits until the server's socket is there. False when it is not in time. */
export async function socketAppears(path: string, withinMs: number): Promise<boolean> {
  const until = Date.now() + withinMs;
  while (!existsSync(path)) {
    if (Date.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}
