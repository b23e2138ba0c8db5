import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Fault, pluginServerPids, type Scene, signal } from './fault.js';

const all = ({ stack }: Scene) => {
  const { parent, workers } = pluginServerPids(stack);
  return [parent, ...workers];
};
const firstWorker = ({ stack }: Scene) => pluginServerPids(stack).workers.slice(0, 1);
const parent = ({ stack }: Scene) => [pluginServerPids(stack).parent];

function killed(
  name: string,
  whom: (scene: Scene) => readonly (number | undefined)[],
  how: NodeJS.Signals,
): Fault {
  return {
    name,
    async inject(scene) {
      signal(whom(scene), how);
    },
  };
}

function frozen(name: string, whom: (scene: Scene) => readonly (number | undefined)[]): Fault {
  return {
    name,
    async inject(scene) {
      const pids = whom(scene);
      signal(pids, 'SIGSTOP');
      await pause(scene.lastsMs);
      signal(pids, 'SIGCONT');
    },
  };
}

export const PROCESS_FAULTS: readonly Fault[] = [
  { name: 'no fault', inject: ({ lastsMs }) => pause(lastsMs) },
  killed('SIGKILL a worker', firstWorker, 'SIGKILL'),
  killed('SIGKILL the parent', parent, 'SIGKILL'),
  killed('SIGKILL all', all, 'SIGKILL'),
  killed('SIGTERM', parent, 'SIGTERM'),
  frozen('SIGSTOP a worker', firstWorker),
  frozen('SIGSTOP the parent', parent),
  frozen('SIGSTOP all', all),
  {
    name: 'event-loop stalls',
    async inject(scene) {
      const { workers } = pluginServerPids(scene.stack);
      const huge = Promise.all(Array.from({ length: 4 }, () => scene.load.one(7_000_000)));
      for (let pulse = 0; pulse < scene.lastsMs / 400; pulse++) {
        signal(workers, 'SIGSTOP');
        await pause(300);
        signal(workers, 'SIGCONT');
        await pause(100);
      }
      await huge;
    },
  },
  {
    // Longer than the deadline of a call: when the loop goes on, all deadlines have passed and all answers have arrived.
    name: 'event-loop lag, failing open',
    failsOpen: true,
    async inject(scene) {
      const { workers } = pluginServerPids(scene.stack);
      for (let pulse = 0; pulse < 2 + scene.lastsMs / 2400; pulse++) {
        signal(workers, 'SIGSTOP');
        await pause(2100);
        signal(workers, 'SIGCONT');
        await pause(300);
      }
    },
  },
  {
    name: 'clock jumps',
    async inject(scene) {
      for (let jump = 0; jump < 6; jump++) {
        signal(all(scene), 'SIGUSR2');
        await pause(scene.lastsMs / 6);
      }
    },
  },
];

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
    async inject({ stack, load, lastsMs }) {
      const { parent, workers } = pluginServerPids(stack);
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
];

function stillRuns(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A plugin server needs a second or two to start, on a busy machine many more. */
const START_MS = 60_000;

const inode = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.ino;

/** Another plugin server on the same socket, as Kong starts one at `kong reload`; resolves when it has the path. */
async function takeOver({ stack }: Scene): Promise<ChildProcess> {
  const before = inode(stack.socket);
  const child = spawn(process.execPath, stack.pluginServer, { stdio: 'ignore' });
  await pathChanges(stack.socket, before);
  return child;
}

/** @throws Error when the socket stays the old one. */
async function pathChanges(socket: string, from: number | undefined): Promise<void> {
  const deadline = performance.now() + START_MS;
  while ((inode(socket) ?? from) === from) {
    if (performance.now() > deadline) throw new Error('no other plugin server has taken the socket over');
    await pause(10);
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

export const RELOAD_FAULTS: readonly Fault[] = [
  {
    name: 'reload storm',
    async inject(scene) {
      const { stack, lastsMs } = scene;
      const reloads = setInterval(() => stack.reload(), 200);
      const end = performance.now() + lastsMs;
      const strangers: ChildProcess[] = [];
      try {
        while (performance.now() < end) {
          const last = strangers.at(-1);
          strangers.push(await takeOver(scene));
          last?.kill('SIGTERM');
        }
        // Kong's own ends and is restarted by Kong: the path goes back to it, then the last stranger may leave.
        const own = inode(stack.socket);
        signal([pluginServerPids(stack).parent], 'SIGTERM');
        await pathChanges(stack.socket, own);
      } finally {
        clearInterval(reloads);
        for (const stranger of strangers) stranger.kill('SIGTERM');
        await Promise.all(strangers.map(ended));
      }
    },
  },
];
