import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Scene } from '../fault.js';
import { pluginServerPids, signal } from '../plugin-server-pids.js';

const all = ({ landscape }: Scene) => {
  const { parent, workers } = pluginServerPids(landscape);
  return [parent, ...workers];
};
const firstWorker = ({ landscape }: Scene) => pluginServerPids(landscape).workers.slice(0, 1);
const parent = ({ landscape }: Scene) => [pluginServerPids(landscape).parent];

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
      const { workers } = pluginServerPids(scene.landscape);
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
    name: 'clock jumps',
    async inject(scene) {
      for (let jump = 0; jump < 6; jump++) {
        signal(all(scene), 'SIGUSR2');
        await pause(scene.lastsMs / 6);
      }
    },
  },
];
