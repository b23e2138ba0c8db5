import { afterAll, beforeAll } from 'vitest';
import { compareClient, compareUpstream, compareValue } from './compare.js';
import { type Finding, finding } from './finding.js';
import { type PlayedCase, ProbedKong, type Protocol, probeHost } from './probed-kong.js';
import { replay } from './recording-client.js';
import {
  loadReads,
  type OnceCase,
  type ReadCase,
  type RecordedCall,
  type RecordedPhase,
  type RecordedRequest,
} from './recordings.js';
import { conformanceTests, type Played } from './tally.js';

/** What a plugin reads of every kind of client request in the access phase. */
export function reads(protocol: Protocol): void {
  const recorded = loadReads();
  const ONCE: RecordedRequest = {
    sent: ['GET /once?x=1&flag HTTP/1.1\r\nHost: HOST.test\r\nX-One: 1\r\n\r\n'],
  };

  type Config = ReadCase['config'];
  const configs: Readonly<Record<Config, PlayedCase[]>> = { main: [], trusted: [] };
  const played: Played[] = [];

  /** The host by which the upstream tells whose request it is, where the client's request names another. */
  function forwardedHost(one: ReadCase): string | undefined {
    const line = one.upstream?.[0]?.headers?.find((text) => text.startsWith('X-Forwarded-Host: '));
    const host = line?.slice('X-Forwarded-Host: '.length);
    return host === 'HOST.test' ? undefined : host;
  }

  /** Cases whose requests carry the same foreign host take turns. */
  const turns = new Map<string, Promise<unknown>>();

  function inTurn<T>(host: string | undefined, work: () => Promise<T>): Promise<T> {
    if (host === undefined) return work();
    const turn = (turns.get(host) ?? Promise.resolve()).then(work);
    turns.set(
      host,
      turn.catch(() => undefined),
    );
    return turn;
  }

  function byPath(request: RecordedRequest): boolean {
    return JSON.stringify(request).includes('/NOHOST');
  }

  function compareCalls(
    at: readonly (string | number)[],
    calls: readonly RecordedCall[],
    phases: readonly RecordedPhase[],
  ): Finding[] {
    const replies = phases.find(({ phase }) => phase === 'access')?.replies ?? [];
    return calls.map(({ call, value }, i) => {
      const reply = replies[i];
      const isSame =
        (value === 'no_reply' && (reply === 'no_reply' || reply === undefined)) || compareValue(value, reply);
      const text = `${call.join(' ')}: Kong ${JSON.stringify(value)}; here ${JSON.stringify(reply)}`;
      return {
        at: [...at, 'calls', i, 'value'],
        difference: isSame ? undefined : text.slice(0, 900),
        observed: reply ?? 'no_reply',
      };
    });
  }

  function add(
    config: Config,
    name: string,
    one: PlayedCase,
    host: string | undefined,
    play: Played['play'],
    overHttp2 = false,
  ): void {
    configs[config].push(one);
    played.push({ name, overHttp2, play: () => inTurn(host, play) });
  }

  for (const [i, [name, read]] of Object.entries(recorded.cases).entries()) {
    const { config, request, buffered } = read;
    const calls = read[protocol];
    if (calls === undefined) continue;
    const groups = [{ name: '', calls: calls.calls, client: read.client }, ...calls.groups];
    for (const [n, group] of groups.entries()) {
      const script = { access: group.calls.map(({ call }) => call) };
      const one: PlayedCase = {
        key: `g${i}-${n}.${protocol}`,
        variant: protocol,
        script,
        byPath: byPath(request),
      };
      add(
        config,
        `reads/${name}${group.name === '' ? '' : `/${group.name}`}/${protocol}`,
        one,
        forwardedHost(read),
        async () => {
          const kong = kongs[config];
          const names = kong.names(one.key);
          const seen = kong.upstream.expect(names, undefined, forwardedHost(read));
          const client = await replay(request, kong.target, names, group.client);
          const at = ['cases', name];
          const atGroup = n === 0 ? [...at, protocol] : [...at, protocol, 'groups', n - 1];
          return [
            ...compareCalls(atGroup, group.calls, kong.phases(one)),
            {
              at: [...at, 'upstream'],
              difference: n === 0 ? compareUpstream(read.upstream ?? [], seen) : undefined,
              observed: seen,
            },
            {
              at: [...(n === 0 ? at : atGroup), 'client'],
              difference: group.client === undefined ? undefined : compareClient(group.client, client),
              observed: client,
            },
          ];
        },
      );
    }
    // The same request through a buffering plugin was recorded over ProtoBuf only.
    if (buffered === undefined || protocol === 'mp') continue;
    const one: PlayedCase = { key: `b${i}.br`, variant: 'br', script: {}, byPath: byPath(request) };
    add(
      config,
      `reads/${name}/br`,
      one,
      forwardedHost(read),
      async () => {
        const kong = kongs[config];
        const names = kong.names(one.key);
        const seen = kong.upstream.expect(names, undefined, forwardedHost(read));
        const client = await replay(request, kong.target, names, undefined);
        const status = client.status ?? Number(client.responses?.at(-1)?.status.split(' ')[1]);
        const phases = kong.phases(one).map(({ phase }) => phase);
        const at = (part: string) => ['cases', name, 'buffered', part];
        const samePhases = phases.join() === buffered.phases.join();
        return [
          finding(at('status'), 'status', buffered.status, status),
          {
            at: at('phases'),
            difference: samePhases ? undefined : `phases: Kong ${buffered.phases}; here ${phases}`,
            observed: phases,
          },
          { at: at('upstream'), difference: compareUpstream(buffered.upstream, seen), observed: seen },
        ];
      },
      request.http2 !== undefined,
    );
  }

  for (const [i, [name, once]] of Object.entries(recorded.once).entries()) {
    const calls = once[protocol];
    if (calls !== undefined) addOnce(`o${i}.${protocol}`, name, calls);
  }

  function addOnce(key: string, onceName: string, once: OnceCase): void {
    const name = `reads-once/${onceName}/${protocol}`;
    const one: PlayedCase = {
      key,
      variant: protocol,
      script: { access: once.calls.map(({ call }) => call) },
    };
    add('main', name, one, undefined, async () => {
      const kong = kongs.main;
      const names = kong.names(key);
      const seen = kong.upstream.expect(names);
      const client = await replay(ONCE, kong.target, names, once.client);
      const at = ['once', onceName, protocol];
      return [
        ...compareCalls(at, once.calls, kong.phases(one)),
        finding([...at, 'upstream'], 'upstream requests', once.upstream ?? seen.length, seen.length),
        {
          at: [...at, 'client'],
          difference: once.client === undefined ? undefined : compareClient(once.client, client),
          observed: client,
        },
      ];
    });
  }

  const kongs: Readonly<Record<Config, ProbedKong>> = {
    main: new ProbedKong(configs.main, probeHost(protocol)),
    trusted: new ProbedKong(configs.trusted, probeHost(protocol)),
  };
  const { playAll } = conformanceTests(`reads ${protocol}`, played);

  beforeAll(async () => {
    await kongs.main.start();
    await kongs.trusted.start({
      trusted_ips: '127.0.0.1,::1',
      nginx_proxy_ssl_verify_client: 'optional_no_ca',
      nginx_proxy_large_client_header_buffers: '16 64k',
      nginx_proxy_max_headers: '2000',
    });
    await playAll();
  }, 240_000);
  afterAll(async () => {
    await kongs.main.stop();
    await kongs.trusted.stop();
  });
}
