import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from '../fault.js';
import { signal } from '../plugin-server-pids.js';

export const UPSTREAM_FAULTS: readonly Fault[] = [
  {
    name: 'upstream killed',
    async inject({ landscape, lastsMs }) {
      await landscape.upstream().end('SIGKILL');
      await pause(lastsMs);
      await landscape.restartUpstream();
    },
  },
  {
    name: 'upstream frozen',
    async inject({ landscape, lastsMs }) {
      signal([landscape.upstream().pid], 'SIGSTOP');
      await pause(lastsMs);
      signal([landscape.upstream().pid], 'SIGCONT');
    },
  },
  {
    name: 'upstream breaks off',
    async inject({ landscape, lastsMs }) {
      landscape.upstream().send({ breaksOff: true });
      await pause(lastsMs);
      landscape.upstream().send({ breaksOff: false });
    },
  },
];
