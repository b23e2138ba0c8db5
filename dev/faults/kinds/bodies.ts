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
import type { Fault, Scene } from '../fault.js';

const folderOf = ({ landscape }: Scene) => join(landscape.folder, 'client_body_temp');

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
            spoil(join(folder, file), scene.landscape.folder);
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
