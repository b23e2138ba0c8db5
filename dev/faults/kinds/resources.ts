import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from '../fault.js';
import { pluginServerPids } from '../plugin-server-pids.js';

function fileLimit(pid: number): string {
  const args = ['--pid', String(pid), '--nofile', '--output', 'SOFT', '--noheadings'];
  return execFileSync('prlimit', args, { encoding: 'utf8' }).trim();
}

/** `prlimit` (util-linux) changes the soft limit of a running process. */
function limitFiles(pid: number, count: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]);
}

export const RESOURCE_FAULTS: readonly Fault[] = [
  {
    name: 'no file descriptors left',
    async inject({ landscape, load, lastsMs }) {
      const { parent, workers } = pluginServerPids(landscape);
      const pids = [parent, ...workers].flatMap((pid) => pid ?? []);
      const before = pids.map((pid) => ({
        pid,
        open: readdirSync(`/proc/${pid}/fd`).length,
        limit: fileLimit(pid),
      }));
      for (const { pid, open } of before) limitFiles(pid, String(open + 2));
      load.bigBodyEvery = 2;
      // Connections that end take descriptors with them, and new ones find none.
      load.abortShare = 0.3;
      await pause(lastsMs);
      load.abortShare = 0;
      load.bigBodyEvery = 7;
      for (const { pid, limit } of before) if (stillRuns(pid)) limitFiles(pid, limit);
    },
  },
  {
    name: 'clients hang up',
    async inject({ load, lastsMs }) {
      load.abortShare = 0.5;
      await pause(lastsMs);
      load.abortShare = 0;
    },
  },
];

function stillRuns(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
