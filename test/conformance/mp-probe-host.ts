import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import type { Names } from './names.js';
import { type ProbedCase, type ProbeHost, probeServers, scriptOf } from './probe-host.js';
import type { RecordedPhase, RecordedValue } from './recordings.js';

const PLUGINS = fileURLToPath(new URL('./mp-probe/plugins', import.meta.url));
const STOCK_SERVER = createRequire(import.meta.url).resolve('kong-pdk/bin/kong-js-pluginserver');

interface Line {
  readonly key: string;
  readonly phase?: string;
  readonly reply?: RecordedValue;
  readonly end?: 'returned';
}

interface Seen {
  readonly phase: string;
  end: 'returned' | 'closed';
  readonly replies: RecordedValue[];
}

/** MsgPack:1: the stock kong-js-pluginserver in a process of its own, with the probe's plugins in its folder. */
export class MpProbeHost implements ProbeHost {
  #results = '';
  #read = 0;
  readonly #seen = new Map<string, Seen[]>();

  async start(folder: string, cases: readonly ProbedCase[]): Promise<KongConf> {
    this.#results = join(folder, 'results.jsonl');
    const scripts = Object.fromEntries(cases.map((one) => [one.key, one.script]));
    writeFileSync(join(folder, 'scripts.json'), JSON.stringify(scripts));
    const environment = `CONFORMANCE_SCRIPTS=${folder}/scripts.json CONFORMANCE_RESULTS=${this.#results}`;
    const command = `env ${environment} ${process.execPath} ${STOCK_SERVER} -d ${PLUGINS} -p ${folder} --sock-name probe.sock`;
    return {
      ...probeServers(folder, 'MsgPack:1', join(folder, 'probe.sock')),
      pluginserver_probe_a_start_cmd: command,
    };
  }

  phases(one: ProbedCase, names: Names): RecordedPhase[] {
    this.#readResults();
    return (this.#seen.get(one.key) ?? []).map(({ phase, end, replies }) => {
      const calls = scriptOf(one.script, phase);
      return {
        phase,
        end,
        replies: replies.map((reply, i) => withTokens(reply, calls[i]?.[0] ?? '', names)),
      };
    });
  }

  stop(): void {}

  #readResults(): void {
    if (!existsSync(this.#results)) return;
    const text = readFileSync(this.#results).subarray(this.#read).toString();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#read += Buffer.byteLength(whole);
    for (const line of whole.split('\n').filter((part) => part !== '')) this.#take(JSON.parse(line));
  }

  #take({ key, phase, reply, end }: Line): void {
    const seen = this.#seen.get(key) ?? [];
    this.#seen.set(key, seen);
    if (phase !== undefined) seen.push({ phase, end: 'closed', replies: [] });
    const last = seen.at(-1);
    if (last === undefined) return;
    if (reply !== undefined) last.replies.push(reply);
    if (end !== undefined) last.end = end;
  }
}

function withTokens(value: RecordedValue, method: string, names: Names): RecordedValue {
  const mayBePort = /_port$/.test(method) || method === 'kong.nginx.get_var';
  if (typeof value === 'string') {
    if (value === 'no_reply') return value;
    if (mayBePort && /^\d+$/.test(value)) return String(names.port(Number(value)));
    return names.body(Buffer.from(value, 'latin1')) as RecordedValue;
  }
  if (typeof value === 'number') return mayBePort ? names.port(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withTokens(item, '', names));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withTokens(inner, '', names)]));
}
