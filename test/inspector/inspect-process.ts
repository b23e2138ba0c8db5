import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { assembled } from '../../dev/closing.js';
import type { Telemetry } from '../../src/telemetry/telemetry.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { until } from '../support/until.js';
import { logLines } from './log-file.js';

export interface InspectProcess {
  /** The latest link, with its token. */
  url(): string;
  readonly origin: string;
  output(): string;
  readonly process: ChildProcess;
  /** Ctrl-C. @returns the exit code */
  end(): Promise<number | null>;
}

/** `ping-auth inspect` as it is built, on a free port. */
export async function startInspect(file: string, ...options: string[]): Promise<InspectProcess> {
  const executable = join(dirname(await builtPluginServer()), 'ping-auth.mjs');
  const child = spawn(process.execPath, [executable, 'inspect', file, '--port', '0', ...options], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const links = () =>
    [...output.matchAll(/http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/g)].map(([link]) => link);
  await until(`a link is printed: ${output}`, () => links().length > 0 || child.exitCode !== null);
  const [first] = links();
  if (first === undefined) throw new Error(`ping-auth inspect did not start: ${output}`);
  return {
    url: () => links().at(-1) ?? first,
    origin: new URL(first).origin,
    output: () => output,
    process: child,
    async end() {
      if (child.exitCode !== null) return child.exitCode;
      child.kill('SIGINT');
      await once(child, 'exit');
      return child.exitCode;
    },
  };
}

export interface InspectedLog {
  readonly folder: string;
  readonly file: string;
  readonly inspect: InspectProcess;
  close(): Promise<void>;
}

/** A log in a folder of its own, and `ping-auth inspect` to read it. */
export function inspectLog(write: (telemetry: Telemetry) => void): Promise<InspectedLog> {
  return assembled(async (closing) => {
    const folder = closing.folder('ping-auth-inspect-');
    const file = join(folder, 'ping-auth.log');
    writeFileSync(file, logLines(write));
    const inspect = await startInspect(file);
    closing.add(() => inspect.end());
    return { folder, file, inspect, close: () => closing.close() };
  });
}
