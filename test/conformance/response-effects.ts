import { afterAll, beforeAll } from 'vitest';
import { compareClient, comparePhases, compareUpstream, compareValue } from './compare.js';
import { type Finding, finding } from './finding.js';
import { type PlayedCase, ProbedKong, type Protocol, probeHost, VARIANTS } from './probed-kong.js';
import { replay } from './recording-client.js';
import type { UpstreamAnswer } from './recording-upstream.js';
import {
  expand,
  loadResponseEffects,
  type RecordedPhase,
  type RecordedRead,
  type ReplyGroups,
  resolve,
  type Script,
  type UpstreamReply,
} from './recordings.js';
import { conformanceTests, type Played } from './tally.js';

/** What the response phase sees of every kind of upstream answer, and what its writes and exits do to the client's. */
export function responseEffects(protocol: Protocol): void {
  const recorded = loadResponseEffects();
  const played: (Played & { readonly one: PlayedCase })[] = [];

  function answer(name: string, upstreamPort: number): UpstreamAnswer | undefined {
    const reply: UpstreamReply = recorded.upstreamReplies[name.replace(/_retries5$/, '')] ?? { do: 'hang' };
    if (reply.do === 'close') return { parts: [], close: true };
    if (reply.do === 'hang') return { parts: [], close: false };
    return {
      parts: (reply.parts ?? []).map((part) =>
        typeof part === 'object' && 'waitMs' in part
          ? part
          : Buffer.from(
              expand(part).toString('latin1').replaceAll('127.0.0.1:UPSTREAM', `127.0.0.1:${upstreamPort}`),
              'latin1',
            ),
      ),
      close: reply.thenClose === true,
    };
  }

  // The effects of writes and exits.
  for (const [i, [name, effect]] of Object.entries(recorded.effects).entries()) {
    for (const variant of VARIANTS[protocol].filter((name) => name.endsWith('r'))) {
      if (effect[variant] === undefined) continue;
      const one: PlayedCase = {
        key: `e${i}.${variant}`,
        variant,
        script: effect.script,
        service: recorded.services[effect.upstreamReply ?? ''],
      };
      played.push({
        name: `response-effects/${name}/${variant}`,
        overHttp2: recorded.requests[effect.request]?.http2 !== undefined,
        one,
        play: async () => {
          const names = kong.names(one.key);
          const seen = kong.upstream.expect(names, answer(effect.upstreamReply ?? '', kong.upstream.port));
          const expected = resolve(effect, variant, 'client') ?? {};
          const phases = resolve(effect, variant, 'phases') ?? [];
          const client = await replay(
            recorded.requests[effect.request] ?? {},
            kong.target,
            names,
            expected,
            () => {
              return kong.ran(one, phases);
            },
          );
          const upstream = resolve(effect, variant, 'upstream');
          await kong.settles(one, phases);
          const at = (part: string) => ['effects', name, variant, part];
          const ran = kong.phases(one);
          return [
            { at: at('phases'), difference: comparePhases(phases, ran), observed: ran },
            {
              at: at('upstream'),
              difference: upstream === undefined ? undefined : compareUpstream(upstream, seen),
              observed: seen,
            },
            { at: at('client'), difference: compareClient(expected, client), observed: client },
          ];
        },
      });
    }
  }

  // What the response phase reads of every kind of upstream answer.
  const WAYS = { buffered: 'get', buffered_h2: 'h2', buffered_head: 'head' } as const;
  for (const [i, [name, read]] of Object.entries(recorded.reads).entries()) {
    // Over MsgPack the reads were recorded only for a plain GET; what the client got is the same in both.
    const ways = (Object.keys(WAYS) as (keyof typeof WAYS)[]).filter(
      (way) => protocol === 'pb' || way === 'buffered',
    );
    for (const way of ways) {
      const expected = read[way];
      if (expected === undefined) continue;
      const groups: ReplyGroups | undefined =
        way === 'buffered' ? read[protocol] : way === 'buffered_head' ? read.head : undefined;
      addRead(
        `r${i}-${way.replaceAll('_', '-')}.br`,
        `response-reads/${name}/${way}${protocol === 'mp' ? '/mr' : ''}`,
        name,
        way,
        expected,
        groups,
      );
    }
  }

  function addRead(
    key: string,
    name: string,
    upstreamReply: string,
    way: keyof typeof WAYS,
    expected: RecordedRead,
    groups: ReplyGroups | undefined,
  ): void {
    const request = WAYS[way];
    const script: Script = { response: Object.values(recorded.scripts).flat() };
    const one: PlayedCase = {
      key,
      variant: protocol === 'pb' ? 'br' : 'mr',
      script,
      service: recorded.services[upstreamReply],
    };
    played.push({
      name,
      overHttp2: recorded.requests[request]?.http2 !== undefined,
      one,
      play: async () => {
        const names = kong.names(key);
        const seen = kong.upstream.expect(names, answer(upstreamReply, kong.upstream.port));
        const ended = expected.phases.split(',').map(() => ({ end: 'closed' }) as const);
        const client = await replay(
          recorded.requests[request] ?? {},
          kong.target,
          names,
          expected.client,
          () => {
            return kong.ran(one, ended) && seen.length >= expected.upstreamRequests;
          },
        );
        await kong.settles(one, ended);
        const phases = kong.phases(one);
        const ran = phases.map(({ phase }) => phase).join(',');
        const at = (...part: string[]) => ['reads', upstreamReply, ...part];
        return [
          finding(at(way, 'phases'), 'phases', expected.phases, ran),
          finding(at(way, 'upstreamRequests'), 'upstream requests', expected.upstreamRequests, seen.length),
          ...compareReads(at(way === 'buffered_head' ? 'head' : protocol), groups, phases),
          {
            at: at(way, 'client'),
            difference: compareClient(expected.client, client),
            observed: client,
          },
        ];
      },
    });
  }

  function compareReads(
    at: readonly string[],
    groups: ReplyGroups | undefined,
    phases: readonly RecordedPhase[],
  ): Finding[] {
    const findings: Finding[] = [];
    const replies = [...(phases.find(({ phase }) => phase === 'response')?.replies ?? [])];
    for (const [group, values] of Object.entries(groups ?? {})) {
      const here = replies.splice(0, recorded.scripts[group]?.length ?? 0);
      if (values === null) continue;
      for (const [i, value] of values.entries()) {
        const difference = compareValue(value, here[i])
          ? undefined
          : `${group} read ${i}: Kong ${JSON.stringify(value)}; here ${JSON.stringify(here[i])}`;
        findings.push({ at: [...at, group, i], difference, observed: here[i] });
      }
    }
    return findings;
  }

  const kong = new ProbedKong(
    played.map(({ one }) => one),
    probeHost(protocol),
  );
  const { playAll } = conformanceTests(`response-effects ${protocol}`, played);

  beforeAll(async () => {
    await kong.start();
    await playAll();
  }, 240_000);
  afterAll(() => kong.stop());
}
