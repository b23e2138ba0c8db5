import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Fault, type Scene, signal } from './fault.js';
import { honest } from './stack.js';

async function lying({ stack, phase, delayMs, lastsMs }: Scene, share: number): Promise<void> {
  const normal = honest(phase, delayMs);
  const lies = phase === 'access' ? { request: share, response: 0 } : { request: 0, response: share };
  stack.behave({ ...normal, lies });
  await pause(lastsMs);
  stack.behave(normal);
}

export const PROVIDER_FAULTS: readonly Fault[] = [
  {
    name: 'provider killed',
    async inject({ stack, lastsMs }) {
      await stack.policy().end('SIGKILL');
      await pause(lastsMs);
      await stack.restartPolicy();
    },
  },
  {
    name: 'provider restarted',
    async inject({ stack }) {
      await stack.policy().end('SIGTERM');
      await stack.restartPolicy();
    },
  },
  {
    name: 'provider frozen',
    async inject({ stack, lastsMs }) {
      signal([stack.policy().pid], 'SIGSTOP');
      // Past the deadline of a call.
      await pause(lastsMs + 2000);
      signal([stack.policy().pid], 'SIGCONT');
    },
  },
  { name: 'provider lies now and then', inject: (scene) => lying(scene, 0.4) },
  { name: 'provider only lies', inject: (scene) => lying(scene, 1) },
];

export const UPSTREAM_FAULTS: readonly Fault[] = [
  {
    name: 'upstream killed',
    async inject({ stack, lastsMs }) {
      await stack.upstream().end('SIGKILL');
      await pause(lastsMs);
      await stack.restartUpstream();
    },
  },
  {
    name: 'upstream frozen',
    async inject({ stack, lastsMs }) {
      signal([stack.upstream().pid], 'SIGSTOP');
      await pause(lastsMs);
      signal([stack.upstream().pid], 'SIGCONT');
    },
  },
  {
    name: 'upstream breaks off',
    async inject({ stack, lastsMs }) {
      stack.upstream().send({ breaksOff: true });
      await pause(lastsMs);
      stack.upstream().send({ breaksOff: false });
    },
  },
];

const folderOf = ({ stack }: Scene) => join(stack.folder, 'client_body_temp');

/** Does something to every body file that Kong writes, as soon as it is there. */
function sabotaged(name: string, spoil: (file: string, folder: string) => void): Fault {
  return {
    name,
    phases: ['access'],
    async inject(scene) {
      scene.load.bigBodyEvery = 2;
      const folder = folderOf(scene);
      mkdirSync(folder, { recursive: true });
      const end = performance.now() + scene.lastsMs;
      while (performance.now() < end) {
        for (const file of readdirSync(folder)) {
          try {
            spoil(join(folder, file), scene.stack.folder);
          } catch (error) {
            // Kong was faster and has taken it away.
            if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
          }
        }
        await new Promise(setImmediate);
      }
      scene.load.bigBodyEvery = 7;
    },
  };
}

export const BODY_FAULTS: readonly Fault[] = [
  {
    // What nginx meets when the disk is full: the body cannot be written.
    name: 'no room for bodies',
    phases: ['access'],
    async inject(scene) {
      scene.load.bigBodyEvery = 2;
      const folder = folderOf(scene);
      mkdirSync(folder, { recursive: true });
      renameSync(folder, `${folder}.away`);
      writeFileSync(folder, '');
      await pause(scene.lastsMs);
      unlinkSync(folder);
      renameSync(`${folder}.away`, folder);
      scene.load.bigBodyEvery = 7;
    },
  },
  sabotaged('body files vanish', (file) => unlinkSync(file)),
  sabotaged('body files are cut short', (file) => truncateSync(file, 100)),
  sabotaged('body files become symlinks', (file, folder) => {
    rmSync(file);
    symlinkSync(join(folder, 'key.pem'), file);
  }),
];

export const CLIENT_FAULTS: readonly Fault[] = [
  {
    name: 'clients hang up',
    async inject({ load, lastsMs }) {
      load.abortShare = 0.5;
      await pause(lastsMs);
      load.abortShare = 0;
    },
  },
  {
    // Each takes a connection to the plugin server of its own: the queue of its socket, then its limits.
    name: 'a burst of clients',
    phases: ['access'],
    inject: ({ load, burst }) => load.burst(burst),
  },
];
