import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Scene } from '../fault.js';
import { pluginServerPids, signal } from '../plugin-server-pids.js';

/** A plugin server needs a second or two to start, on a busy machine many more. */
const START_MS = 60_000;

const inode = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.ino;

/** Another plugin server on the same socket, as Kong starts one at `kong reload`; resolves when it has the path. */
async function takeOver({ landscape }: Scene): Promise<ChildProcess> {
  const before = inode(landscape.socket);
  const child = spawn(process.execPath, landscape.pluginServer, { stdio: 'ignore' });
  await pathChanges(landscape.socket, before);
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
      const { landscape, lastsMs } = scene;
      const reloads = setInterval(() => landscape.reload(), 200);
      const end = performance.now() + lastsMs;
      const strangers: ChildProcess[] = [];
      try {
        while (performance.now() < end) {
          const last = strangers.at(-1);
          strangers.push(await takeOver(scene));
          last?.kill('SIGTERM');
        }
        // Kong's own ends and is started anew by Kong: the path goes back to it, then the last stranger may leave.
        const own = inode(landscape.socket);
        signal([pluginServerPids(landscape).parent], 'SIGTERM');
        await pathChanges(landscape.socket, own);
      } finally {
        clearInterval(reloads);
        for (const stranger of strangers) stranger.kill('SIGTERM');
        await Promise.all(strangers.map(ended));
      }
    },
  },
];
