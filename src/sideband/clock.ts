import { performance } from 'node:perf_hooks';

/** Where time comes from. Tests put in their own, so that nothing has to sleep. */
export interface Clock {
  /** Milliseconds that only ever go forward; a jump of the wall clock must neither open nor close a circuit. */
  now(): number;
  /** Milliseconds since 1970, to compare with dates that a provider sends. */
  wall(): number;
}

export const SYSTEM_CLOCK: Clock = { now: () => performance.now(), wall: () => Date.now() };
