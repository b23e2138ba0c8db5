import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bundledProgram } from './bundled-program.js';

/** A TypeScript program of dev/ in a process of its own. */
export interface DevProcess<Ready> {
  readonly pid: number;
  /** What it said when it was ready. */
  readonly ready: Ready;
  /** stdout and stderr so far. */
  output(): string;
  /** A message to the process (`process.on('message')`); lost when it has ended. */
  send(message: object): void;
  /** Sends a signal and waits until the process is gone. Nothing happens when it is gone already. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Starts quicker; only for programs that look for no file beside their own. */
  readonly bundled?: boolean;
}

/** A machine that others use too must not make a start fail. */
const START_TIMEOUT_MS = 60_000;

/**
 * Starts `file` (beside which the caller's `import.meta.url` is `base`) and waits for its first IPC message. The process
 * ends by itself when this one does: its IPC channel closes.
 * @throws Error with the process's own words when it ends before it is ready.
 */
export async function startProcess<Ready>(
  file: string,
  base: string,
  options: StartOptions = {},
): Promise<DevProcess<Ready>> {
  const source = fileURLToPath(new URL(file, base));
  const program = options.bundled === true ? await bundledProgram(source) : source;
  const child = fork(program, options.args ?? [], {
    execArgv: options.bundled === true ? [] : ['--import', 'tsx'],
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const output = () => Buffer.concat(chunks).toString('utf8');
  try {
    const ready = await firstMessage<Ready>(child, output);
    return {
      pid: child.pid ?? 0,
      ready,
      output,
      send: (message) => {
        if (child.connected) child.send(message, () => {});
      },
      end: (signal = 'SIGTERM') => end(child, signal),
    };
  } catch (error) {
    await end(child, 'SIGKILL');
    throw error;
  }
}

function firstMessage<Ready>(child: ChildProcess, output: () => string): Promise<Ready> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready in time: ${output()}`)), START_TIMEOUT_MS);
    child.once('message', (message) => resolve(message as Ready));
    child.once('error', reject);
    // 'close' and not 'exit': only then is all of its output here.
    child.once('close', (code) => reject(new Error(output().trim() || `ended with ${code}`)));
    const settled = () => clearTimeout(timer);
    child.once('message', settled).once('close', settled).once('error', settled);
  });
}

/** SIGTERM gets five seconds to be heard. */
function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill(signal);
  });
}
