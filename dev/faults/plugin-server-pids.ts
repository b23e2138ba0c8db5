import { execFileSync } from 'node:child_process';
import type { Landscape } from './landscape.js';

export interface PluginServerPids {
  /** undefined while none runs. */
  readonly parent: number | undefined;
  readonly workers: readonly number[];
}

/** The processes of the plugin server that Kong manages, as of now. */
export function pluginServerPids({ kong }: Landscape): PluginServerPids {
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
