import { afterAll, beforeAll } from 'vitest';
import { compareClient, comparePhases, compareUpstream } from './compare.js';
import {
  isBuffered,
  type PlayedCase,
  ProbedKong,
  type Protocol,
  probeHost,
  VARIANTS,
} from './probed-kong.js';
import { replay } from './recording-client.js';
import { loadAccessEffects, resolve } from './recordings.js';
import { conformanceTests, type Played } from './tally.js';

/** What a plugin's writes and exits in the access phase do to the upstream's request and the client's answer. */
export function accessEffects(protocol: Protocol): void {
  const recorded = loadAccessEffects();
  const cases = Object.entries(recorded.cases).flatMap(([name, one], i) =>
    VARIANTS[protocol]
      .filter((variant) => one[variant] !== undefined)
      .map((variant) => {
        const played: PlayedCase = { key: `c${i}.${variant}`, variant, script: one.script };
        return { name, one, played };
      }),
  );
  const kong = new ProbedKong(
    cases.map(({ played }) => played),
    probeHost(protocol),
  );

  const { playAll } = conformanceTests(
    `access-effects ${protocol}`,
    cases.map(
      ({ name, one, played }): Played => ({
        name: `access-effects/${name}/${played.variant}`,
        overHttp2: isBuffered(played.variant) && recorded.requests[one.request]?.http2 !== undefined,
        play: async () => {
          const { variant } = played;
          const names = kong.names(played.key);
          const seen = kong.upstream.expect(names);
          const expected = resolve(one, variant, 'client') ?? {};
          const phases = resolve(one, variant, 'phases') ?? [];
          const upstream = resolve(one, variant, 'upstream');
          const request = recorded.requests[one.request] ?? {};
          const client = await replay(request, kong.target, names, expected, () => {
            return kong.ran(played, phases) && seen.length >= (upstream?.length ?? 0);
          });
          await kong.settles(played, phases);
          const at = (part: string) => ['cases', name, variant, part];
          const second = one.second?.length ? one.second : undefined;
          const observed = kong.phases(played);
          return [
            { at: at('phases'), difference: comparePhases(phases, observed), observed },
            {
              at: second === undefined ? at('upstream') : ['cases', name, 'second'],
              difference: compareUpstream(second ?? upstream ?? [], seen),
              observed: seen,
            },
            { at: at('client'), difference: compareClient(expected, client), observed: client },
          ];
        },
      }),
    ),
  );

  beforeAll(async () => {
    await kong.start();
    await playAll();
  }, 240_000);
  afterAll(() => kong.stop());
}
