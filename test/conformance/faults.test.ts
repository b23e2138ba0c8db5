import { afterAll, beforeAll } from 'vitest';
import { compareClient } from './compare.js';
import { type Fault, Faults } from './fault-hosts.js';
import { type Finding, finding, type Outcome } from './finding.js';
import { mpFaultHost } from './mp-faults.js';
import { pbFaultHost } from './pb-faults.js';
import { type PlayedCase, ProbedKong, type Protocol } from './probed-kong.js';
import { replay } from './recording-client.js';
import { loadFaults, type RecordedClient, type RecordedFault, type RecordedRequest } from './recordings.js';
import { conformanceTests, type Played } from './tally.js';

/** A plugin server that misbehaves in one event: what the client gets, and whether the upstream was asked. */

const recorded = loadFaults();
const REQUEST: RecordedRequest = { sent: ['GET /f?x=1 HTTP/1.1\r\nHost: HOST.test\r\n\r\n'] };
const played: Played[] = [];
const cases: Readonly<Record<Protocol, { readonly one: PlayedCase; readonly fault: Fault }[]>> = {
  pb: [],
  mp: [],
};

/** One after the other: a connection that one fault closes must not be the next case's. Those that hang may overlap. */
const turns: Record<Protocol, Promise<unknown>> = { pb: Promise.resolve(), mp: Promise.resolve() };

function alone(protocol: Protocol, hangs: boolean, play: Played['play']): Promise<Outcome> {
  if (hangs) return play();
  const turn = turns[protocol].then(play);
  turns[protocol] = turn.catch(() => undefined);
  return turn;
}

function add(
  protocol: Protocol,
  name: string,
  where: Fault['in'],
  buffering: boolean,
  fault: RecordedFault,
  at: readonly string[],
): void {
  const key = `f${played.length}.${protocol}`;
  const variant = protocol === 'pb' ? (buffering ? 'br' : 'pb') : buffering ? 'mr' : 'mp';
  cases[protocol].push({ one: { key, variant, script: {} }, fault: { name, in: where } });
  const kind = where === 'access' && !buffering ? 'access only' : where;
  played.push({
    name: `faults/${protocol}/${name}/${kind}`,
    play: () =>
      alone(protocol, fault.client.hung === true, async () => {
        const kong = kongs[protocol];
        const names = kong.names(key);
        const seen = kong.upstream.expect(names);
        const expected: RecordedClient = clientOf(fault);
        const client = await replay(REQUEST, kong.target, names, expected, () => true);
        const findings: Finding[] = [
          {
            at: [...at, 'client'],
            difference: compareClient(expected, client),
            observed: asRecorded(client),
          },
          finding([...at, 'upstream'], 'upstream requests', fault.upstream, seen.length),
        ];
        if (fault.next === undefined || fault.next === null) return findings;
        faults[protocol].heal(key);
        const next = await replay(REQUEST, kong.target, names, undefined);
        const status = Number(next.responses?.at(-1)?.status.split(' ')[1]);
        return [...findings, finding([...at, 'next'], 'next request', fault.next, status)];
      }),
  });
}

function asRecorded({ responses, closed, hung }: RecordedClient): RecordedFault['client'] {
  const answer = responses?.[0];
  if (answer === undefined) return hung === true ? { hung: true } : { closed: closed === true };
  return { status: answer.status, headers: answer.headers, body: answer.body, closed: closed === true };
}

function clientOf({ client }: RecordedFault): RecordedClient {
  if (client.status === undefined) return { responses: [], closed: false, hung: true };
  const { status, headers = [], body = '' } = client;
  return {
    responses: [{ status, headers, framing: 'content-length', body }],
    closed: client.closed === true,
  };
}

for (const protocol of ['pb', 'mp'] as const) {
  for (const [name, ways] of Object.entries(recorded.scripted[protocol])) {
    for (const [way, fault] of Object.entries(ways)) {
      add(protocol, name, way === 'response' ? 'response' : 'access', way !== 'access only', fault, [
        ...['scripted', protocol, name, way],
      ]);
    }
  }
}
for (const [name, protocols] of Object.entries(recorded.start)) {
  // "no plugin instance" is said to an event; the others are faults of the start itself.
  const where = name === 'no_plugin_instance_once' ? 'access' : 'start';
  for (const [protocol, fault] of Object.entries(protocols))
    add(protocol as Protocol, name, where, false, fault, ['start', name, protocol]);
}

const byKey = (protocol: Protocol) => new Map(cases[protocol].map(({ one, fault }) => [one.key, fault]));
const faults = { pb: new Faults(byKey('pb')), mp: new Faults(byKey('mp')) };
const kongs: Readonly<Record<Protocol, ProbedKong>> = {
  pb: new ProbedKong(
    cases.pb.map(({ one }) => one),
    pbFaultHost(faults.pb),
  ),
  mp: new ProbedKong(
    cases.mp.map(({ one }) => one),
    mpFaultHost(faults.mp),
  ),
};
const { playAll } = conformanceTests('faults', played);

beforeAll(async () => {
  await Promise.all([kongs.pb.start(), kongs.mp.start()]);
  await playAll();
}, 240_000);
afterAll(async () => {
  await kongs.pb.stop();
  await kongs.mp.stop();
});
