import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import type { Names } from './names.js';
import type { ScriptCall } from './pb-probe-codec.js';
import type { RecordedPhase, Script } from './recordings.js';

/** One case as a probe plays it. */
export interface ProbedCase {
  readonly key: string;
  readonly script: Script;
}

/** A plugin server whose plugins `probe-a` and `probe-ar` run the script of the case named in their configuration. */
export interface ProbeHost {
  /** Gets ready in that folder. @returns what kong.conf must say; the stand-in may start the server by itself. */
  start(folder: string, cases: readonly ProbedCase[]): Promise<KongConf>;
  /** What the probe saw of a case, decoded. */
  phases(one: ProbedCase, names: Names): RecordedPhase[];
  stop(): void;
}

export function scriptOf(script: Script | undefined, phase: string): readonly ScriptCall[] {
  return (phase === 'access' ? script?.access : script?.response) ?? [];
}
