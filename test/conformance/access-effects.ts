import { afterAll, beforeAll } from 'vitest';
import { compareClient, comparePhases, compareUpstream } from './compare.js';
import { replay } from './recording-client.js';
import { loadAccessEffects, resolve } from './recordings.js';
import { type PlayedCase, type Protocol, probeHost, Rig, VARIANTS } from './rig.js';
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
  const rig = new Rig(
    cases.map(({ played }) => played),
    probeHost(protocol),
  );

  const { playAll } = conformanceTests(
    `access-effects ${protocol}`,
    cases.map(
      ({ name, one, played }): Played => ({
        name: `access-effects/${name}/${played.variant}`,
        play: async () => {
          const { variant } = played;
          const names = rig.names(played.key);
          const seen = rig.upstream.expect(names);
          const expected = resolve(one, variant, 'client') ?? {};
          const phases = resolve(one, variant, 'phases') ?? [];
          const upstream = resolve(one, variant, 'upstream');
          const request = recorded.requests[one.request] ?? {};
          const client = await replay(request, rig.target, names, expected, () => {
            return rig.ran(played, phases) && seen.length >= (upstream?.length ?? 0);
          });
          await rig.settles(played, phases);
          return (
            comparePhases(phases, rig.phases(played)) ??
            compareUpstream(
              one.second?.length ? one.second : (resolve(one, variant, 'upstream') ?? []),
              seen,
            ) ??
            compareClient(expected, client)
          );
        },
      }),
    ),
  );

  beforeAll(async () => {
    await rig.start();
    await playAll();
  }, 240_000);
  afterAll(() => rig.stop());
}
