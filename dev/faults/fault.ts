import type { Landscape } from './landscape.js';
import type { Load } from './load.js';
import type { Phase } from './policy-behaviour.js';

/** What a fault can reach. */
export interface Scene {
  readonly landscape: Landscape;
  readonly load: Load;
  readonly phase: Phase;
  /** How long a lasting fault lasts, milliseconds. */
  readonly lastsMs: number;
  /** The policy provider's delay where requests gather, milliseconds. */
  readonly delayMs: number;
}

export interface Fault {
  readonly name: string;
  /** Where the requests stand that it strikes; both phases when left out. */
  readonly phases?: readonly Phase[];
  /** Begins the fault and ends it; recovery is measured from the moment this resolves. */
  inject(scene: Scene): Promise<void>;
}
