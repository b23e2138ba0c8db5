import { execFileSync } from 'node:child_process';
import type { Load } from './load.js';
import type { FaultStack, Phase } from './stack.js';

/** What a fault can reach. */
export interface Scene {
  readonly stack: FaultStack;
  readonly load: Load;
  readonly phase: Phase;
  /** How long a lasting fault lasts, milliseconds. */
  readonly lastsMs: number;
  /** The policy provider's delay where requests gather, milliseconds. */
  readonly delayMs: number;
  /** How many clients a burst brings. */
  readonly burst: number;
}

export interface Fault {
  readonly name: string;
  /** Where the requests stand that it strikes; both phases when left out. */
  readonly phases?: readonly Phase[];
  /** What it may cost: memory of the largest worker, and the 99th percentile of what other clients wait. */
  readonly limits?: { readonly rssMiB: number; readonly p99Ms: number };
  /** It needs a stack of its own in which everything that can fail open does. */
  readonly failsOpen?: true;
  /** Over the campaign's own, where other clients are watched. */
  readonly load?: { readonly concurrency: number; readonly delayMs: number };
  /** Begins the fault and ends it; recovery is measured from the moment this resolves. */
  inject(scene: Scene): Promise<void>;
}

export interface PluginServerPids {
  /** undefined while none runs. */
  readonly parent: number | undefined;
  readonly workers: readonly number[];
}

/** The processes of the plugin server that Kong manages, as of now. */
export function pluginServerPids({ kong }: FaultStack): PluginServerPids {
  const parent = kong.pid('ping-auth');
  return { parent, workers: parent === undefined ? [] : childrenOf(parent) };
}

export function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([pid = 0, ppid]) => (ppid === parent ? [pid] : []));
}

/** A process that has ended meanwhile is no error. */
export function signal(pids: readonly (number | undefined)[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    if (pid === undefined || pid <= 0) continue;
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
