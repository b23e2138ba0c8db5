import { afterAll, beforeAll } from 'vitest';
import { type Fault, Faults } from './fault-hosts.js';
import { pbFaultHost } from './pb-faults.js';
import { type PlayedCase, ProbedKong } from './probed-kong.js';
import { replay } from './recording-client.js';
import { loadRunningKong, type Script } from './recordings.js';
import {
  got,
  type Outcome,
  type RunningKongCase,
  RunningKongCases,
  same,
  valuesOf,
} from './running-kong-cases.js';
import { conformanceTests } from './tally.js';

/** What a running Kong showed of requests beyond the recordings; every case has its source. */

const recorded = loadRunningKong();
const cases = new RunningKongCases();

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
  cases.add(`set ${header} to ${set} over ${client}${how}`, { script, headers: sent }, ({ upstream: seen }) =>
    same('upstream', [...upstream].sort(), valuesOf(seen, header).sort()),
  );
}

for (const { header, set, client } of recorded.responseHeaders.cases) {
  const script: Script = { access: [['kong.response.exit', 200, '', { [header]: [...set] }]] };
  cases.add(`answer with ${header}: ${set}`, { script }, ({ client: { responses } }) =>
    same('client', [...client].sort(), valuesOf(responses?.[0]?.headers ?? [], header).sort()),
  );
}

for (const { header, status } of recorded.repeated.cases) {
  const value = header === 'Content-Length' ? '0' : header === 'Host' ? 'HOST.test' : 'a';
  const line = `${header}: ${value}`;
  cases.add(`${header} twice from a client`, { headers: [line, line] }, ({ client: { responses } }) =>
    same('status', [String(status)], [responses?.[0]?.status.split(' ')[1] ?? 'none']),
  );
}

for (const buffered of [true, false]) {
  for (const { header, client, upstream } of recorded[buffered ? 'buffered' : 'streamed'].cases) {
    const headers = client.map((value) => `${header}: ${value}`);
    const what = `${header}: ${client.map(encodeURI)} from a client`;
    cases.add(`${what}${buffered ? ', with a response phase' : ''}`, { buffered, headers }, (seen) =>
      same('upstream', [...upstream].sort(), valuesOf(seen.upstream, header)),
    );
  }
}

for (const { line, version, via, client } of recorded.requestLines.cases) {
  const one = {
    script: { access: [['kong.request.get_http_version']] },
    requestLine: line,
    headers: line.includes('HTTP/') ? [] : undefined,
  } satisfies RunningKongCase;
  cases.add(`request line ${line}`, one, (seen) =>
    same(
      'version, Via, client',
      [String(version), via, client],
      [String(told(seen)), ...valuesOf(seen.upstream, 'via'), got(seen.client)],
    ),
  );
}

for (const { headers, phases, upstream } of recorded.upgrades.cases) {
  const staysOpen = headers.some((line) => /^upgrade: websocket$/i.test(line));
  cases.add(`${headers}`, { buffered: true, headers, staysOpen }, (seen) =>
    same(
      'phases, upstream',
      [phases, ...upstream],
      [
        seen.phases.map(({ phase }) => phase).join(),
        ...seen.upstream.filter((line) => /^(connection|upgrade):/i.test(line)),
      ],
    ),
  );
}

/** nil in Lua is the number 0 on the wire, and that is left out. */
function told({ phases }: Outcome): unknown {
  const reply = phases[0]?.replies?.[0];
  return typeof reply === 'object' ? 0 : reply;
}

const failing = new Map<string, Fault>();
const failed: PlayedCase[] = [];
for (const { fault, kept } of recorded.own500.cases) {
  const key = `k${failed.length}.br`;
  failing.set(key, { name: fault, in: 'response' });
  failed.push({ key, variant: 'br', script: {} });
  cases.play(`Kong's own 500 in the response phase: ${fault}`, async () => {
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

const probe = cases.kong;
const fails = new ProbedKong(failed, pbFaultHost(new Faults(failing)));
const { playAll } = conformanceTests('running-kong', cases.played);

beforeAll(async () => {
  await Promise.all([probe.start(), fails.start()]);
  await playAll();
}, 240_000);
afterAll(async () => {
  await probe.stop();
  await fails.stop();
});
