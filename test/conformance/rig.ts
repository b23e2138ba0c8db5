import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import { type RunningKong, startKong } from '../../dev/kong/start-kong.js';
import { createAuthority } from '../support/certificates.js';
import { Names, type Ports } from './names.js';
import { PbProbe, type ProbedPhase } from './pb-probe.js';
import type { ScriptCall } from './pb-probe-codec.js';
import { decodePbReply } from './pb-replies.js';
import type { ClientTarget } from './recording-client.js';
import { RecordingUpstream } from './recording-upstream.js';
import type { RecordedPhase, Script, ServiceOptions, VariantName } from './recordings.js';

/** The port that the recorded `set_target` calls name. */
const SECOND_UPSTREAM = 20281;

/** How much longer the recorded time-outs of upstreams are here. */
const SLOWER = 3;

/** One case to play: its own host, route, script and perhaps service. */
export interface PlayedCase {
  readonly key: string;
  readonly variant: VariantName;
  readonly script: Script;
  readonly service?: ServiceOptions | undefined;
  /** The route is found by its path; the request names no host of ours. */
  readonly byPath?: boolean;
}

/** A stand-in with one route for every case, a probe behind it and the recording upstream. */
export class Rig {
  readonly #cleanUps: (() => unknown)[] = [];
  readonly upstream = new RecordingUpstream();
  readonly #probe: PbProbe;
  #kong: RunningKong | undefined;
  #target: ClientTarget | undefined;
  #ports: Ports = { plain: 0, tls: 0, upstream: 0 };

  constructor(private readonly cases: readonly PlayedCase[]) {
    const scripts = new Map(cases.map((one) => [one.key, one.script]));
    this.#probe = new PbProbe((config, phase) => {
      const script = scripts.get(String(config.key));
      const calls = (phase === 'access' ? script?.access : script?.response) ?? [];
      return calls.map((call) => this.#atUpstream(call));
    });
  }

  get target(): ClientTarget {
    if (this.#target === undefined) throw new Error('the rig is not started');
    return this.#target;
  }

  get kong(): RunningKong {
    if (this.#kong === undefined) throw new Error('the rig is not started');
    return this.#kong;
  }

  names(key: string): Names {
    return new Names(key, this.#ports);
  }

  /** What the probe saw of a case, decoded. */
  phases(one: PlayedCase): RecordedPhase[] {
    const names = this.names(one.key);
    return (this.#probe.phases.get(one.key) ?? []).map((seen) => decode(seen, one.script, names));
  }

  /** A target that a recorded script names is this rig's upstream. */
  #atUpstream(call: ScriptCall): ScriptCall {
    if (call[0] !== 'kong.service.set_target') return call;
    return [
      call[0],
      ...call.slice(1).map((value) => (value === SECOND_UPSTREAM ? this.upstream.port : value)),
    ];
  }

  /** Waits until so many phases ran and none is running. False when that does not come. */
  async settles(one: PlayedCase, count: number): Promise<boolean> {
    const until = Date.now() + 10_000;
    while (!this.ran(one, count)) {
      if (Date.now() > until) return false;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return true;
  }

  /** So many phases ran and none is running. */
  ran(one: PlayedCase, count: number): boolean {
    const phases = this.#probe.phases.get(one.key) ?? [];
    return phases.length >= count && phases.every(({ end }) => end !== 'running');
  }

  async start(conf: KongConf = {}): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
    this.#cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
    await this.upstream.listen();
    this.#cleanUps.push(() => this.upstream.close());
    const socket = join(folder, 'probe.sock');
    await this.#probe.listen(socket);
    this.#cleanUps.push(() => this.#probe.close());
    const authority = await createAuthority();
    const server = await authority.issueServer(['tls.pb.test', '127.0.0.1']);
    const closedPort = await unusedPort();
    this.#kong = await startKong({
      conf: {
        prefix: folder,
        proxy_listen: '127.0.0.1:0, 127.0.0.1:0 ssl http2',
        ssl_cert: server.cert,
        ssl_cert_key: server.key,
        // A recorded upstream may send more than it should: no connection serves two cases.
        upstream_keepalive_pool_size: 0,
        pluginserver_names: 'probe-a,probe-ar',
        ...probeServer(folder, socket, 'probe-a', ['access']),
        ...probeServer(folder, socket, 'probe-ar', ['access', 'response']),
        ...conf,
      },
      declarativeConfig: {
        _format_version: '3.0',
        services: this.cases.map((one) => service(one, this.upstream.port, closedPort)),
      },
    });
    const kong = this.#kong;
    this.#cleanUps.push(() => kong.stop());
    const identity = await authority.issueClient('client one, O=Rec Org');
    this.#target = { plainPort: kong.proxyPort, tlsPort: kong.tlsPort, identity };
    this.#ports = { plain: kong.proxyPort, tls: kong.tlsPort, upstream: this.upstream.port };
  }

  async stop(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp();
  }
}

function probeServer(folder: string, socket: string, name: string, phases: readonly string[]): KongConf {
  const plugin = { Name: name, Version: '1.0.0', Priority: 1, Phases: phases, Schema: {} };
  const dump = join(folder, `${name}.json`);
  writeFileSync(dump, JSON.stringify({ Protocol: 'ProtoBuf:1', Plugins: [plugin] }));
  const key = `pluginserver_${name.replaceAll('-', '_')}`;
  return { [`${key}_socket`]: socket, [`${key}_query_cmd`]: `cat ${dump}` };
}

function service(one: PlayedCase, upstreamPort: number, closedPort: number): Record<string, unknown> {
  const { refused, unresolvable, read_timeout: timeout, ...options } = one.service ?? {};
  // A busy machine must not look like a slow upstream.
  const patient = timeout === undefined ? {} : { read_timeout: timeout * SLOWER };
  const url =
    refused === true
      ? `http://127.0.0.1:${closedPort}`
      : unresolvable === true
        ? 'http://no-such-host.invalid'
        : `http://127.0.0.1:${upstreamPort}`;
  const plugin = one.variant === 'br' || one.variant === 'mr' ? 'probe-ar' : 'probe-a';
  const matcher = one.byPath === true ? { paths: [`/nohost-${one.key}`] } : { hosts: [`${one.key}.test`] };
  return {
    name: one.key,
    url,
    retries: 0,
    ...options,
    ...patient,
    routes: [
      { name: one.key, ...matcher, strip_path: false, plugins: [{ name: plugin, config: { key: one.key } }] },
    ],
  };
}

function decode(seen: ProbedPhase, script: Script, names: Names): RecordedPhase {
  const calls: readonly ScriptCall[] = (seen.phase === 'access' ? script.access : script.response) ?? [];
  return {
    phase: seen.phase,
    end: seen.end,
    replies: seen.replies.map((reply, i) =>
      reply === 'no_reply' ? reply : decodePbReply(calls[i]?.[0] ?? '', reply, names),
    ),
  };
}

async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
