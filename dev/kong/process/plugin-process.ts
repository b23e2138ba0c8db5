import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { PluginServerSetting } from '../config/kong-conf.js';
import type { PluginSchema } from '../config/plugin-schema.js';
import type { KongLog } from '../kong-log.js';
import type { PluginInfo } from '../rpc/plugin-client.js';

const pluginSchema = z.object({
  Name: z.string().min(1),
  Version: z.string().regex(/^\d+\.\d+\.\d+/, 'not x.y.z'),
  Priority: z.number().int(),
  Phases: z.array(z.string()),
  Schema: z.record(z.string(), z.unknown()),
});

const answerSchema = z.object({
  Protocol: z.enum(['ProtoBuf:1', 'MsgPack:1']).default('MsgPack:1'),
  Plugins: z.array(pluginSchema).min(1),
});

/** Runs the command through a shell, as Kong's `io.popen` does, and takes the first plugin. @throws Error */
export async function queryPlugin(server: PluginServerSetting): Promise<PluginInfo> {
  const command = server.queryCommand;
  let output: string;
  try {
    ({ stdout: output } = await promisify(execFile)('/bin/sh', ['-c', command], { maxBuffer: 1 << 24 }));
  } catch (error) {
    throw new Error(`query_cmd of ${server.name} failed: ${String(error)}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(output);
  } catch {
    throw new Error(`query_cmd of ${server.name}: stdout is not one JSON document: ${output.slice(0, 200)}`);
  }
  // A bare list is the old form, which means MsgPack.
  const parsed = answerSchema.safeParse(Array.isArray(json) ? { Plugins: json } : json);
  if (!parsed.success) {
    throw new Error(`query_cmd of ${server.name}: ${z.prettifyError(parsed.error)}`);
  }
  const [plugin] = parsed.data.Plugins;
  if (plugin === undefined) throw new Error(`query_cmd of ${server.name}: no plugin`);
  return {
    protocol: parsed.data.Protocol,
    name: plugin.Name,
    version: plugin.Version,
    priority: plugin.Priority,
    phases: plugin.Phases,
    schema: plugin.Schema as PluginSchema,
    server,
  };
}

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
      // nginx has cleared the environment by then; the shell sets PWD.
      env: {},
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
      if (code === 127) {
        this.log.write('error', `start command "${this.command}" exited with "command not found"`);
      }
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
