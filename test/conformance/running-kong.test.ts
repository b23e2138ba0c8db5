import { afterAll, beforeAll } from 'vitest';
import type { Difference } from './compare.js';
import { type Fault, Faults } from './fault-hosts.js';
import { pbFaultHost } from './pb-faults.js';
import { PbProbeHost } from './pb-probe-host.js';
import { replay } from './recording-client.js';
import { loadRunningKong, type RecordedClient, type Script } from './recordings.js';
import { type PlayedCase, Rig } from './rig.js';
import { conformanceTests, type Played } from './tally.js';

/** What a running Kong showed beyond the recordings; every case has its source. */

const recorded = loadRunningKong();
const probed: PlayedCase[] = [];
const played: Played[] = [];

/** One request through the probe, and what the upstream and the client saw of it. */
function add(
  name: string,
  script: Script,
  sent: readonly string[],
  judge: (client: RecordedClient, upstream: readonly string[]) => Difference,
  variant: 'pb' | 'br' = 'pb',
): void {
  const one: PlayedCase = { key: `k${probed.length}.${variant}`, variant, script };
  probed.push(one);
  const lines = sent.map((line) => `${line}\r\n`).join('');
  const host = sent.some((line) => line.startsWith('Host:')) ? '' : 'Host: HOST.test\r\n';
  play(name, async () => {
    const names = probe.names(one.key);
    const seen = probe.upstream.expect(names);
    const request = { sent: [`GET / HTTP/1.1\r\n${host}${lines}\r\n`] };
    const client = await replay(request, probe.target, names, undefined);
    return judge(client, seen[0]?.headers ?? []);
  });
}

function play(name: string, run: Played['play']): void {
  played.push({ name: `running-kong/${name}`, play: run });
}

function same(what: string, kong: readonly string[], here: readonly string[]): Difference {
  return kong.join('\n') === here.join('\n') ? undefined : `${what}: Kong ${kong.join(', ')}; here ${here}`;
}

const valuesOf = (lines: readonly string[], header: string): string[] =>
  lines
    .filter((line) => line.toLowerCase().startsWith(`${header.toLowerCase()}: `))
    .map((line) => line.slice(header.length + 2));

for (const { header, client, set, upstream, clear } of recorded.requestHeaders.cases) {
  const script: Script = {
    access: [
      ...(clear ? [['kong.service.request.clear_header', header] as [string, string]] : []),
      ...(set.length > 0
        ? [['kong.service.request.set_headers', { [header]: [...set] }] as [string, Record<string, string[]>]]
        : []),
    ],
  };
  const sent = client.map((value) => `${header}: ${value}`);
  const how = clear === true ? ' after it was cleared' : '';
  add(`set ${header} to ${set} over ${client}${how}`, script, sent, (_, seen) =>
    same('upstream', [...upstream].sort(), valuesOf(seen, header).sort()),
  );
}

for (const { header, set, client } of recorded.responseHeaders.cases) {
  const script: Script = { access: [['kong.response.exit', 200, '', { [header]: [...set] }]] };
  add(`answer with ${header}: ${set}`, script, [], ({ responses }) =>
    same('client', [...client].sort(), valuesOf(responses?.[0]?.headers ?? [], header).sort()),
  );
}

for (const { header, status } of recorded.repeated.cases) {
  const value = header === 'Content-Length' ? '0' : header === 'Host' ? 'HOST.test' : 'a';
  const line = `${header}: ${value}`;
  add(`${header} twice from a client`, {}, [line, line], ({ responses }) =>
    same('status', [String(status)], [responses?.[0]?.status.split(' ')[1] ?? 'none']),
  );
}

for (const { header, client, upstream } of recorded.repeatedHeldBack.cases) {
  const sent = client.map((value) => `${header}: ${value}`);
  add(
    `${header}: ${client} from a client, with a response phase`,
    {},
    sent,
    (_, seen) => same('upstream', upstream, valuesOf(seen, header)),
    'br',
  );
}

const failing = new Map<string, Fault>();
const failed: PlayedCase[] = [];
for (const { fault, kept } of recorded.own500.cases) {
  const key = `k${failed.length}.br`;
  failing.set(key, { name: fault, in: 'response' });
  failed.push({ key, variant: 'br', script: {} });
  play(`Kong's own 500 in the response phase: ${fault}`, async () => {
    const names = fails.names(key);
    fails.upstream.expect(names, { parts: [Buffer.from(recorded.own500.upstream)], close: false });
    const request = { sent: ['GET / HTTP/1.1\r\nHost: HOST.test\r\n\r\n'] };
    const [response] = (await replay(request, fails.target, names, undefined)).responses ?? [];
    const own = response?.headers.filter((line) => kept.includes(line)) ?? [];
    const body = String(response?.body);
    if (body.includes('secret')) return `the upstream's body: ${body}`;
    return same('client', ['HTTP/1.1 500 Internal Server Error', ...kept], [response?.status ?? '', ...own]);
  });
}

const probe = new Rig(probed, new PbProbeHost());
const fails = new Rig(failed, pbFaultHost(new Faults(failing)));
const { playAll } = conformanceTests('running-kong', played);

beforeAll(async () => {
  await Promise.all([probe.start(), fails.start()]);
  await playAll();
}, 240_000);
afterAll(async () => {
  await probe.stop();
  await fails.stop();
});
