import { join } from 'node:path';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import type { Names } from './names.js';
import { PbProbe, type ProbedPhase } from './pb-probe.js';
import { decodePbReply } from './pb-replies.js';
import { type ProbedCase, type ProbeHost, probeServers, scriptOf } from './probe-host.js';
import type { RecordedPhase, Script } from './recordings.js';

/** ProtoBuf:1: the probe runs in the test itself. */
export class PbProbeHost implements ProbeHost {
  #probe: PbProbe | undefined;

  async start(folder: string, cases: readonly ProbedCase[]): Promise<KongConf> {
    const scripts = new Map(cases.map((one) => [one.key, one.script]));
    this.#probe = new PbProbe((config, phase) => scriptOf(scripts.get(String(config.key)), phase));
    const socket = join(folder, 'probe.sock');
    await this.#probe.listen(socket);
    return probeServers(folder, 'ProtoBuf:1', socket);
  }

  phases(one: ProbedCase, names: Names): RecordedPhase[] {
    const seen = this.#probe?.phases.get(one.key) ?? [];
    return seen.map((phase) => decode(phase, one.script, names));
  }

  stop(): void {
    this.#probe?.close();
  }
}

function decode(seen: ProbedPhase, script: Script, names: Names): RecordedPhase {
  const calls = scriptOf(script, seen.phase);
  return {
    phase: seen.phase,
    end: seen.end,
    replies: seen.replies.map((reply, i) =>
      reply === 'no_reply' ? reply : decodePbReply(calls[i]?.[0] ?? '', reply, names),
    ),
  };
}
