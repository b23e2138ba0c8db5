import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pluginServerConf } from '../../dev/kong/config/gateway-config.js';
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
  /** Gets ready in that folder. @returns what kong.conf must say. */
  start(folder: string, cases: readonly ProbedCase[]): Promise<KongConf>;
  /** What the probe saw of a case, decoded. */
  phases(one: ProbedCase, names: Names): RecordedPhase[];
  stop(): void;
}

export function scriptOf(script: Script | undefined, phase: string): readonly ScriptCall[] {
  return (phase === 'access' ? script?.access : script?.response) ?? [];
}

const PROBES = [
  ['probe-a', ['access']],
  ['probe-ar', ['access', 'response']],
] as const;

/** The lines of kong.conf for both probes behind one socket. */
export function probeServers(folder: string, protocol: 'ProtoBuf:1' | 'MsgPack:1', socket: string): KongConf {
  const conf: KongConf = {};
  for (const [name, phases] of PROBES) {
    const config = { type: 'record', fields: [{ key: { type: 'string' } }] };
    const schema = { name, fields: [{ config }] };
    const plugin = { Name: name, Version: '1.0.0', Priority: 1, Phases: phases, Schema: schema };
    const dump = join(folder, `${name}.json`);
    writeFileSync(dump, JSON.stringify({ Protocol: protocol, Plugins: [plugin] }));
    Object.assign(conf, pluginServerConf(name, socket, { query: `cat ${dump}` }));
  }
  return { ...conf, pluginserver_names: PROBES.map(([name]) => name).join() };
}
