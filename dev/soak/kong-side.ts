import type { PdkValue } from '../kong/pdk/pdk-value.js';
import type { Kind } from './kinds.js';

/** Kong's end of the socket, with as little work in it as can be: the plugin server is what is measured. */
export interface KongSide {
  /** @returns the instance's id */
  start(config: object): Promise<number>;
  /** Runs one phase. An exit ends the connection, as in Kong. */
  event(id: number, phase: 'access' | 'response', kind: Kind, memo: PdkValue): Promise<EventEnd>;
  close(): void;
}

export interface EventEnd {
  readonly end: 'returned' | 'exit';
  /** What the plugin put into kong.ctx.shared. */
  readonly memo: PdkValue;
}

const EXPECTED = {
  allowed: ['returned', 'returned'],
  denied: ['exit'],
  filtered: ['returned', 'exit'],
} as const;

/** One request of the kind. @throws Error when the plugin does anything else than it should. */
export async function oneRequest(kong: KongSide, id: number, kind: Kind): Promise<void> {
  const access = await kong.event(id, 'access', kind, undefined);
  const ends = [access.end];
  if (access.end === 'returned') ends.push((await kong.event(id, 'response', kind, access.memo)).end);
  if (ends.join() !== EXPECTED[kind].join()) throw new Error(`${kind}: ${ends.join()}`);
}
