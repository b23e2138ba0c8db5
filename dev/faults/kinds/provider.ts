import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Scene } from '../fault.js';
import { signal } from '../plugin-server-pids.js';
import { honest } from '../policy-behaviour.js';

async function lying({ landscape, phase, delayMs, lastsMs }: Scene, share: number): Promise<void> {
  const normal = honest(phase, delayMs);
  const lies = phase === 'access' ? { request: share, response: 0 } : { request: 0, response: share };
  landscape.behave({ ...normal, lies });
  await pause(lastsMs);
  landscape.behave(normal);
}

export const PROVIDER_FAULTS: readonly Fault[] = [
  {
    name: 'provider killed',
    async inject({ landscape, lastsMs }) {
      await landscape.policy().end('SIGKILL');
      await pause(lastsMs);
      await landscape.restartPolicy();
    },
  },
  {
    name: 'provider restarted',
    async inject({ landscape }) {
      await landscape.policy().end('SIGTERM');
      await landscape.restartPolicy();
    },
  },
  {
    name: 'provider frozen',
    async inject({ landscape, lastsMs }) {
      signal([landscape.policy().pid], 'SIGSTOP');
      // Past the deadline of a call.
      await pause(lastsMs + 2000);
      signal([landscape.policy().pid], 'SIGCONT');
    },
  },
  { name: 'provider lies now and then', inject: (scene) => lying(scene, 0.4) },
  { name: 'provider only lies', inject: (scene) => lying(scene, 1) },
];
