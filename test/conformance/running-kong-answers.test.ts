import { afterAll, beforeAll } from 'vitest';
import { loadRunningKong, type Script } from './recordings.js';
import { got, RunningKongCases, same, valuesOf } from './running-kong-cases.js';
import { conformanceTests } from './tally.js';

/** What a running Kong showed of answers beyond the recordings. */

const recorded = loadRunningKong();
const cases = new RunningKongCases();

for (const { method, condition, upstream, client } of recorded.conditional.cases) {
  const lines = ['HTTP/1.1 200 OK', ...upstream, 'Content-Type: text/plain', 'Content-Length: 2'];
  const body = method === 'HEAD' ? '' : 'ok';
  const one = {
    requestLine: `${method} / HTTP/1.1`,
    headers: [condition],
    upstream: `${lines.join('\r\n')}\r\n\r\n${body}`,
  };
  const name = `${method} with ${condition} over ${upstream}`;
  cases.add(`${name}, buffered`, { ...one, buffered: true }, (seen) => {
    const entity = (seen.client.responses?.[0]?.headers ?? []).filter((line) => /^content-/i.test(line));
    const left = client.startsWith('304') ? [] : entity;
    return same('client', [client, ...left], [got(seen.client), ...entity]);
  });
  cases.add(`${name}, streamed`, one, (seen) => same('client', [`200 ${body}`], [got(seen.client)]));
}

for (const { phase, condition, client } of recorded.conditionalExit.cases) {
  const headers = { 'Content-Type': 'text/plain', ETag: '"e"' };
  const script: Script = { [phase]: [['kong.response.exit', 200, 'made up', headers]] };
  cases.add(`exit in ${phase} with ${condition}`, { script, buffered: true, headers: [condition] }, (seen) =>
    same('client', [client], [got(seen.client)]),
  );
}

for (const { header, upstream, ...expected } of recorded.repeatedByUpstream.cases) {
  const lines = upstream.map((value) => `${header}: ${value}\r\n`).join('');
  const answer = `HTTP/1.1 200 OK\r\n${lines}Content-Length: 2\r\n\r\nok`;
  for (const how of ['streamed', 'buffered'] as const) {
    cases.add(
      `${header} twice from the upstream, ${how}`,
      { buffered: how === 'buffered', upstream: answer },
      (seen) => same('client', expected[how], valuesOf(seen.client.responses?.[0]?.headers ?? [], header)),
    );
  }
}

for (const { what, answer, closes, clientCloses, client, phases } of recorded.oddAnswers.cases) {
  const one = {
    buffered: true,
    headers: clientCloses ? ['Connection: close'] : [],
    upstream: answer,
    upstreamCloses: closes,
  };
  cases.add(`the upstream answers with ${what}`, one, (seen) =>
    same(
      'client, phases',
      [client, phases],
      [got(seen.client), seen.phases.map(({ phase }) => phase).join()],
    ),
  );
}

const { playAll } = conformanceTests('running-kong-answers', cases.played);

beforeAll(async () => {
  await cases.kong.start();
  await playAll();
}, 240_000);
afterAll(() => cases.kong.stop());
