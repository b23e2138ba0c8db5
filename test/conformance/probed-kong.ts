import { Closing } from '../../dev/closing.js';
import { kongYml, routedService } from '../../dev/kong/config/gateway-config.js';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import { freePort } from '../../dev/listen.js';
import { createAuthority } from '../support/certificates.js';
import { startKong } from '../support/kong.js';
import { MpProbeHost } from './mp-probe-host.js';
import { Names, type Ports } from './names.js';
import { PbProbeHost } from './pb-probe-host.js';
import type { ProbeHost } from './probe-host.js';
import type { ClientTarget } from './recording-client.js';
import { RecordingUpstream } from './recording-upstream.js';
import type { RecordedPhase, Script, ServiceOptions, VariantName } from './recordings.js';

/** The port that the recorded `set_target` calls name. */
const SECOND_UPSTREAM = '20281';

/** How much longer the recorded time-outs of upstreams are here. */
const SLOWER = 3;

/** ProtoBuf:1 with the probe in the test, or MsgPack:1 with the stock server. */
export type Protocol = 'pb' | 'mp';

/** The recorded variants of a protocol: without and with a response phase. */
export const VARIANTS: Readonly<Record<Protocol, readonly VariantName[]>> = {
  pb: ['pb', 'br'],
  mp: ['mp', 'mr'],
};

/** Kong buffers the response for a plugin with a response phase. */
export function isBuffered(variant: VariantName): boolean {
  return variant === 'br' || variant === 'mr';
}

export function probeHost(protocol: Protocol): ProbeHost {
  return protocol === 'pb' ? new PbProbeHost() : new MpProbeHost();
}

/** One case to play: its own host, route, script and perhaps service. */
export interface PlayedCase {
  readonly key: string;
  readonly variant: VariantName;
  readonly script: Script;
  readonly service?: ServiceOptions | undefined;
  /** The route is found by its path; the request names no host of ours. */
  readonly byPath?: boolean;
}

type PhaseEnd = Pick<RecordedPhase, 'end'>;

/** A Kong with one route for every case, a probe behind it and the recording upstream. */
export class ProbedKong {
  readonly #closing = new Closing();
  readonly upstream = new RecordingUpstream();
  #target: ClientTarget | undefined;
  #ports: Ports = { plain: 0, tls: 0, upstream: 0 };

  constructor(
    private readonly cases: readonly PlayedCase[],
    private readonly probe: ProbeHost,
  ) {}

  get target(): ClientTarget {
    if (this.#target === undefined) throw new Error('Kong is not started');
    return this.#target;
  }

  names(key: string): Names {
    return new Names(key, this.#ports);
  }

  /** What the probe saw of a case, decoded. */
  phases(one: PlayedCase): RecordedPhase[] {
    return this.probe.phases(one, this.names(one.key));
  }

  /** Waits until these phases ran. False when that does not come. */
  async settles(one: PlayedCase, expected: readonly PhaseEnd[]): Promise<boolean> {
    const until = Date.now() + 10_000;
    while (!this.ran(one, expected)) {
      if (Date.now() > until) return false;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return true;
  }

  /** As many phases ran, none is running, and those that came to their end in Kong have come to it here. */
  ran(one: PlayedCase, expected: readonly PhaseEnd[]): boolean {
    const phases = this.phases(one);
    // The stock server says nothing of a phase that Kong broke off: until the end is told, it looks like one.
    const isOver = ({ end }: PhaseEnd, i: number) =>
      end === 'returned' || (end === 'closed' && expected[i]?.end !== 'returned');
    return phases.length >= expected.length && phases.every(isOver);
  }

  /** A target that a recorded script names is the upstream here. */
  #withUpstream(script: Script): Script {
    const text = JSON.stringify(script);
    if (!text.includes('kong.service.set_target')) return script;
    return JSON.parse(text.replaceAll(SECOND_UPSTREAM, String(this.upstream.port)));
  }

  async start(conf: KongConf = {}): Promise<void> {
    const folder = this.#closing.folder('conformance-');
    await this.upstream.listen();
    this.#closing.add(() => this.upstream.close());
    const cases = this.cases.map(({ key, script }) => ({ key, script: this.#withUpstream(script) }));
    const servers = await this.probe.start(folder, cases);
    this.#closing.add(() => this.probe.stop());
    const authority = await createAuthority();
    const server = await authority.issueServer(['tls.pb.test', '127.0.0.1']);
    const closedPort = await freePort();
    const kong = await startKong({
      conf: {
        prefix: folder,
        proxy_listen: '127.0.0.1:0, 127.0.0.1:0 ssl http2',
        ssl_cert: server.cert,
        ssl_cert_key: server.key,
        // A recorded upstream may send more than it should: no connection serves two cases.
        upstream_keepalive_pool_size: 0,
        ...servers,
        ...conf,
      },
      declarativeConfig: kongYml(this.cases.map((one) => service(one, this.upstream.port, closedPort))),
    });
    this.#closing.add(() => kong.stop());
    const identity = await authority.issueClientChain('client one, O=Rec Org');
    this.#target = { plainPort: kong.proxyPort, tlsPort: kong.tlsPort, identity };
    this.#ports = { plain: kong.proxyPort, tls: kong.tlsPort, upstream: this.upstream.port };
  }

  stop(): Promise<void> {
    return this.#closing.close();
  }
}

function service(one: PlayedCase, upstreamPort: number, closedPort: number): object {
  const { refused, unresolvable, read_timeout: timeout, ...options } = one.service ?? {};
  // A busy machine must not look like a slow upstream.
  const patient = timeout === undefined ? {} : { read_timeout: timeout * SLOWER };
  const url =
    refused === true
      ? `http://127.0.0.1:${closedPort}`
      : unresolvable === true
        ? 'http://no-such-host.invalid'
        : `http://127.0.0.1:${upstreamPort}`;
  const plugin = { name: isBuffered(one.variant) ? 'probe-ar' : 'probe-a', config: { key: one.key } };
  const matcher = one.byPath === true ? { paths: [`/nohost-${one.key}`] } : { hosts: [`${one.key}.test`] };
  return { ...routedService(one.key, url, [plugin], matcher), ...options, ...patient };
}
