import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { type ProviderProcess, startProviderProcess } from '../../../dev/policy-provider/process.js';
import type { RuleInput } from '../../../dev/policy-provider/rules.js';
import { FakeTerminal } from '../../../test/support/fake-terminal.js';
import { parseConfig } from '../../config/parse-config.js';
import type { RequestPayload } from '../../sideband/messages.js';
import { createSidebandClient } from '../../sideband/sideband-client.js';
import type { SidebandExchange } from '../../telemetry/exchange-recorder.js';
import { createExchangeRecorder } from '../../telemetry/exchange-recorder.js';
import { testCommand } from '../test/command.js';
import { replayCommand } from './command.js';

const SECRET = 'replay-command-secret';
const rulesFile = fileURLToPath(new URL('../../../dev/demo/rules.yaml', import.meta.url));
const demoRules = (parse(readFileSync(rulesFile, 'utf8')) as { rules: RuleInput[] }).rules;
let folder: string;
let recording: string;
let old: ProviderProcess;
let other: ProviderProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-replay-'));
  recording = join(folder, 'exchanges.jsonl');
  [old, other] = await Promise.all([
    startProviderProcess({ secret: SECRET, rulesFile }),
    startProviderProcess({ secret: SECRET, rulesFile }),
  ]);
  writeFileSync(join(folder, 'old-ca.pem'), old.ca);
  writeFileSync(join(folder, 'other-ca.pem'), other.ca);
  await record();
});
afterEach(async () => {
  await other.setRules(demoRules);
  await other.clearCalls();
});
afterAll(async () => {
  await Promise.all([old.end(), other.end()]);
  rmSync(folder, { recursive: true, force: true });
});

const request = (method: string, path: string, token: string | undefined, body = ''): RequestPayload => ({
  source_ip: '198.51.100.1',
  source_port: 40_000,
  method,
  url: `https://bank.example:443${path}`,
  http_version: '1.1',
  headers: [
    { host: 'bank.example' },
    ...(token === undefined ? [] : [{ authorization: token }]),
    ...(body === '' ? [] : [{ 'content-length': String(body.length) }]),
    { 'x-debug': 'all' },
  ],
  body,
});

/** What a plugin server with --record-file would have written. */
async function record(): Promise<void> {
  const config = parseConfig({
    ...{
      service_url: old.url,
      shared_secret: SECRET,
      secret_header_name: 'CLIENT-TOKEN',
      ca_certificate: old.ca,
    },
  });
  const client = createSidebandClient(config);
  const sink = createExchangeRecorder({ path: recording, rate: 1, clean: (line) => line, report: () => {} });
  const ask = async (requestId: string, payload: RequestPayload, response?: object): Promise<void> => {
    const head = { requestId, route: 'bank', provider: old.url, secretHeaderName: 'CLIENT-TOKEN' };
    const write = (exchange: Pick<SidebandExchange, 'phase' | 'payload' | 'answer'>) =>
      sink.record({ ...head, ...exchange });
    const text = JSON.stringify(payload);
    const { answer, body } = await client.evaluateRequest(text, {});
    write({ phase: 'access', payload: text, answer: body });
    if (response === undefined || answer.kind === 'deny') return;
    const { method, url, http_version } = payload;
    const second = {
      ...{ method, url, http_version, response_code: '200', response_status: 'OK', headers: [], ...response },
      ...(answer.state === undefined ? { request: payload } : { state: JSON.parse(answer.state) }),
    };
    const filtered = await client.evaluateResponse(JSON.stringify(second), {});
    write({ phase: 'response', payload: JSON.stringify(second), answer: filtered.body });
  };
  for (const id of ['1', '22', '333'])
    await ask(`open-${id}`, request('GET', `/weather/${id}`, undefined), { body: '{}' });
  await ask('no-token', request('GET', '/bank/accounts', undefined));
  await ask('ada', request('GET', '/bank/profile', 'Bearer ada'), { body: '{"name":"Ada","ssn":"1"}' });
  await ask('transfer', request('POST', '/bank/transfers?trace=1', 'Bearer ada', '{"amount":1,"fee":2}'));
  await ask('long', request('PUT', '/notes', undefined, 'n'.repeat(20_000)));
  sink.record({
    ...{ phase: 'access', requestId: 'down', provider: old.url, secretHeaderName: 'CLIENT-TOKEN' },
    ...{ payload: JSON.stringify(request('GET', '/', undefined)), answer: 'no decision: provider_timeout' },
  });
  // Closed in the middle of a write, it would write a line twice rather than not at all.
  await vi.waitFor(() => expect(readFileSync(recording, 'utf8')).toContain('"down"'));
  sink.close();
  client.release();
}

const access = (provider: ProviderProcess, ca: string) => [
  ...['--service-url', provider.url, '--secret-env', 'SECRET', '--ca', join(folder, ca), '--rate', '1000'],
];

async function replay(...args: string[]) {
  const terminal = new FakeTerminal({ SECRET });
  await replayCommand(terminal).parseAsync([recording, ...access(other, 'other-ca.pem'), ...args], {
    from: 'user',
  });
  return terminal.result;
}

async function replayJson(...args: string[]) {
  const { stdout, exitCode } = await replay('--json', ...args);
  return { exitCode, ...(JSON.parse(stdout) as Report) };
}

interface Report {
  asked: number;
  complete: object;
  incomplete: { same: number; different: number; gaps: Record<string, number> };
  skipped: Record<string, number>;
  groups: {
    phase: string;
    route: string;
    method: string;
    path: string;
    what: string[];
    count: number;
    incomplete: number;
    example: { recorded: { decision: string }; now: { decision: string; result: string } };
  }[];
}

const ADA = ['--header', 'Authorization: Bearer ada'];

describe('ping-auth replay', () => {
  it('finds that a policy with the same rules decides the same', async () => {
    const result = await replayJson(...ADA);
    expect(result).toMatchObject({
      exitCode: 0,
      asked: 11,
      complete: { same: 10, different: 0, failed: 0 },
      // 20,000 characters are more than a recording keeps.
      incomplete: { same: 1, different: 0, gaps: { body: 1 } },
      groups: [],
    });
    expect(result.skipped).toMatchObject({ 'no decision': 1, 'not reached': 0 });
  });

  it('asks what was asked, with the state of the new policy', async () => {
    await replay(...ADA);
    const calls = await other.calls();
    const payloads = calls.map(({ payload }) => payload as Record<string, unknown>);
    expect(payloads.filter(({ url }) => url === 'https://bank.example:443/bank/profile')).toEqual([
      request('GET', '/bank/profile', 'Bearer ada'),
      expect.objectContaining({ body: '{"name":"Ada","ssn":"1"}', state: { who: 'Bearer ada' } }),
    ]);
    expect(calls.every(({ decision }) => decision !== 'rejected')).toBe(true);
    expect(calls[0]?.headers).toContainEqual(['X-Request-Id', expect.stringMatching(/^[a-z]/)]);
  });

  it('groups what differs by route, path and what changed, with an example', async () => {
    await other.setRules([
      {
        name: 'no weather',
        match: { phase: 'request', path: '/weather/*' },
        deny: { status: 403, body: 'closed' },
      },
      ...demoRules.filter(({ name }) => name !== 'transfers are cleaned up'),
    ]);
    const { groups, skipped, exitCode } = await replayJson(...ADA);
    expect(exitCode).toBe(1);
    expect(groups).toMatchObject([
      {
        ...{
          phase: 'access',
          route: 'bank',
          method: 'GET',
          path: '/weather/{id}',
          what: ['permit → deny 403'],
          count: 3,
        },
        example: {
          recorded: { decision: 'permit' },
          now: { decision: 'deny 403', result: '403 Forbidden\n\nclosed\n' },
        },
      },
      {
        ...{ method: 'POST', path: '/bank/transfers', count: 1 },
        what: ['query', 'header:x-customer-tier', 'header:x-debug', 'body'],
      },
    ]);
    expect(skipped['not reached']).toBe(3);
    const { stdout } = await replay(...ADA);
    expect(stdout).toContain('3 × access, route bank, GET /weather/{id}: permit → deny 403');
    expect(stdout).toMatch(
      /for example GET https:\/\/bank\.example:443\/weather\/\d+ \(line \d+, request open-\d+\)/,
    );
    expect(stdout).toContain('  + 403 Forbidden');
    expect(stdout).toContain('3 decisions are the same, 4 differ');
    expect((await replayJson(...ADA, '--ignore-header', 'X-Debug')).groups[1]?.what).not.toContain(
      'header:x-debug',
    );
  });

  it('counts messages apart whose secrets were redacted', async () => {
    const { incomplete, groups } = await replayJson();
    // Authorization is "Bearer [redacted]" in the recording; the demo's policy takes it for somebody else's.
    expect(incomplete.gaps).toMatchObject({ 'header:authorization': 3, body: 1 });
    expect(incomplete.same + incomplete.different).toBe(4);
    expect(groups.every((group) => group.incomplete === group.count)).toBe(true);
    expect((await replay()).stdout).toContain('4 whose messages are redacted or cut in the recording:');
  });

  it('compares a response with what came of it', async () => {
    await other.setRules(demoRules.filter(({ name }) => name !== 'nobody needs the number'));
    const { groups } = await replayJson(...ADA);
    expect(groups).toMatchObject([{ phase: 'response', path: '/bank/profile', what: ['body'], count: 1 }]);
  });

  it("does not ask the recording's own provider unless told to", async () => {
    const terminal = new FakeTerminal({ SECRET });
    const before = (await old.calls()).length;
    const args = [recording, ...access(old, 'old-ca.pem'), ...ADA];
    await replayCommand(terminal).parseAsync(args, { from: 'user' });
    expect(terminal.result).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') });
    expect((await old.calls()).length).toBe(before);
    const again = new FakeTerminal({ SECRET });
    await replayCommand(again).parseAsync([...args, '--yes'], { from: 'user' });
    expect(again.result.exitCode).toBe(0);
  });

  it('saves differences and samples as cases that hold for the recorded policy', async () => {
    await other.setRules([
      { name: 'closed', match: { phase: 'request', path: '/weather/*' }, deny: { status: 403 } },
    ]);
    const path = join(folder, 'saved.yaml');
    await replay(...ADA, '--save-cases', path, '--samples', '10');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, 'utf8');
    expect(text).toContain('# Redacted values are variables: set TOKEN.');
    expect(text).toContain('# The other policy: deny 403; different: permit → deny 403');
    const check = async (provider: ProviderProcess, ca: string) => {
      const terminal = new FakeTerminal({ SECRET, TOKEN: 'ada' });
      const [url, env, trusted] = [provider.url, 'SECRET', join(folder, ca)];
      const args = [path, '--service-url', url, '--secret-env', env, '--ca', trusted, '--reporter', 'json'];
      await testCommand(terminal).parseAsync(args, { from: 'user' });
      return JSON.parse(terminal.result.stdout) as { passed: number; failed: number; errors: number };
    };
    // The body that was cut is no longer what the policy saw, yet permitted all the same.
    expect(await check(old, 'old-ca.pem')).toMatchObject({ passed: 5, failed: 0, errors: 0 });
    expect(await check(other, 'other-ca.pem')).toMatchObject({ failed: 3, errors: 0 });
    expect(await replay(...ADA, '--save-cases', path)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('saved.yaml: it is there already and is not overwritten'),
    });
  });

  it('gives up on a provider that only fails', async () => {
    await other.setRules([{ name: 'down', error: { status: 500 } }]);
    const line = readFileSync(recording, 'utf8').split('\n')[0] ?? '';
    const many = join(folder, 'many.jsonl');
    const lines = Array.from({ length: 200 }, (_, i) =>
      line.replace(/"request_id":"[^"]+"/, `"request_id":"r${i}"`),
    );
    writeFileSync(many, lines.join('\n'));
    const terminal = new FakeTerminal({ SECRET });
    await replayCommand(terminal).parseAsync([many, ...access(other, 'other-ca.pem')], { from: 'user' });
    expect(terminal.result.exitCode).toBe(1);
    expect(terminal.result.stdout).toContain(
      'stopped: 20 calls in a row failed, the last one with provider_failing',
    );
    expect((await other.calls()).length).toBeLessThan(100);
  });

  it.each([
    ['nothing of ours', '{"a":1}\nhello\n', 3, /no messages that can be asked about again/],
    [
      'only decisions',
      '{"event":"decision","phase":"access","decision":"permit","request_id":"a"}\n',
      3,
      /no messages/,
    ],
  ])('says when there is %s', async (_, text, code, message) => {
    const file = join(folder, 'other.log');
    writeFileSync(file, text);
    const terminal = new FakeTerminal({ SECRET });
    await replayCommand(terminal).parseAsync([file, ...access(other, 'other-ca.pem')], { from: 'user' });
    expect(terminal.result.exitCode).toBe(code);
    expect(terminal.result.stderr).toMatch(message);
  });
});
