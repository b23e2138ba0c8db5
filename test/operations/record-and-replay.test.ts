// Recorded by the plugin server's recorder, replayed by `ping-auth replay`: the same policy decides the same, whatever bodies look like.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { replayCommand } from '../../src/cli/replay/command.js';
import { parseConfig } from '../../src/config/parse-config.js';
import { createSidebandClient } from '../../src/sideband/sideband-client.js';
import { createExchangeRecorder } from '../../src/telemetry/exchange-recorder.js';
import { FakeTerminal } from '../support/fake-terminal.js';

const SECRET = 'record-and-replay-secret';
let folder: string;
let provider: PolicyProvider;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pa-exact-'));
  provider = await startPolicyProvider({ secret: SECRET });
  provider.setRules([
    {
      name: 'no',
      match: { phase: 'request', path: '/no/*' },
      deny: { status: 403, body: 'no\r\n"{{body}}"' },
    },
    {
      name: 'token',
      match: { phase: 'request', path: '/in/*', header: { authorization: null } },
      deny: { status: 401 },
    },
    {
      name: 'clean',
      match: { phase: 'request', path: '/clean/*' },
      change: { headers: { set: { 'x-seen': '1' } }, body: '{{body}}\r\n\tand more \u2028 é' },
    },
  ]);
  writeFileSync(join(folder, 'ca.pem'), provider.ca);
});
afterAll(async () => {
  await provider?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Message {
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Asked once, as the plugin server does, and recorded. @returns the recording's path */
async function recorded(messages: readonly Message[], name: string): Promise<string> {
  const path = join(folder, name);
  const client = createSidebandClient(
    parseConfig({ service_url: provider.url, shared_secret: SECRET, ca_certificate: provider.ca }),
  );
  const sink = createExchangeRecorder({ path, rate: 1, clean: (line) => line, report: () => {} });
  for (const [index, { path: target, headers, body }] of messages.entries()) {
    const payload = JSON.stringify({
      ...{ source_ip: '192.0.2.1', source_port: 1, method: 'POST', url: `https://api.example:443${target}` },
      ...{
        http_version: '1.1',
        headers: [{ host: 'api.example' }, ...headers.map(([key, value]) => ({ [key]: value }))],
      },
      body,
    });
    const { body: answer } = await client.evaluateRequest(payload, {});
    sink.record({
      ...{
        phase: 'access',
        requestId: `r-${index}`,
        provider: 'https://pa.example',
        secretHeaderName: 'CLIENT-TOKEN',
      },
      ...{ payload, answer },
    });
  }
  const lines = () => readFileSync(path, 'utf8').split('\n').length - 1;
  await vi.waitFor(() => expect(lines()).toBe(messages.length), { timeout: 20_000 });
  sink.close();
  client.release();
  return path;
}

async function replay(path: string, ...args: string[]) {
  const terminal = new FakeTerminal({ SECRET });
  const access = ['--service-url', provider.url, '--secret-env', 'SECRET', '--ca', join(folder, 'ca.pem')];
  await replayCommand(terminal).parseAsync([path, ...access, '--rate', '1000', ...args], { from: 'user' });
  return terminal.result;
}

const text = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }).map((one) => one.toWellFormed()),
    fc.constantFrom(
      '\r\n',
      '\t',
      '\u2028',
      '\u202e',
      '[redacted]',
      '[redacted+]',
      '… 4 more',
      '"',
      '\\',
      'é',
      '😀',
    ),
  ),
  { maxLength: 6 },
);
const joined = text.map((parts) => parts.join(''));
const secret = fc.constantFrom('', '"password":"hunter2",', '"token":"abc1234567",');
const body = fc.oneof(
  joined,
  fc
    .tuple(secret, fc.jsonValue())
    .map(([first, value]) => `{\n  ${first}\r\n\t"a": ${JSON.stringify(value, undefined, 2)}\n}`),
  fc
    .array(fc.tuple(joined, joined))
    .map((pairs) => new URLSearchParams([...pairs, ['client_secret', 'x1']]).toString()),
  joined.map((inside) => `a=1\r\nb=${inside}\r\n`),
  joined.map(
    (inside) => `<?xml version="1.0"?>\r\n<a>\r\n\t<b c="${inside}">é</b><pin>1234</pin>\r\n</a>\r\n`,
  ),
  joined.map(
    (inside) =>
      `--b\r\nContent-Disposition: form-data; name="note"\r\n\r\n${inside}\r\n--b\r\nContent-Disposition: form-data; name="otp"\r\n\r\n123456\r\n--b--\r\n`,
  ),
);
const message = fc.record({
  path: fc.constantFrom('/plain/1', '/no/1', '/clean/1'),
  headers: fc.array(fc.tuple(fc.constantFrom('x-a', 'x-b'), fc.stringMatching(/^[!-~]{0,40}$/)), {
    maxLength: 2,
  }),
  body,
});

describe('a recording that is replayed against the same policy', () => {
  it('shows no difference, whatever the bodies look like', async () => {
    const messages = fc.sample(message, { numRuns: 250, seed: 24 });
    const path = await recorded(messages, 'exact.jsonl');
    provider.clear();
    const { stdout, exitCode } = await replay(path, '--json', '--strict');
    const { groups, ...report } = JSON.parse(stdout);
    expect(groups).toEqual([]);
    expect(report).toMatchObject({
      asked: 250,
      complete: { different: 0, failed: 0 },
      incomplete: { different: 0, failed: 0 },
    });
    // Most of them are complete, or it says little.
    expect(report.complete.same).toBeGreaterThan(100);
    expect(exitCode).toBe(0);
  }, 120_000);

  it('asks what was asked, byte by byte', async () => {
    const bodies = [
      '{\r\n\t"a": "\u2028é"\r\n}',
      'a=1&b=%0D%0A',
      '<a>\n</a>',
      'x… 3 more',
      '[redacted]',
      '\u0000\u202e',
    ];
    const path = await recorded(
      bodies.map((one) => ({ path: '/plain/1', headers: [], body: one })),
      'bytes.jsonl',
    );
    provider.clear();
    await replay(path);
    const asked = provider.requests.map(({ payload }) => (payload as { body: string }).body);
    expect(asked.sort()).toEqual(bodies.toSorted());
  });

  it('does not count a difference that redaction explains, and says how to give the value', async () => {
    const headers = [['authorization', 'Bearer ada']] as const;
    const messages = [
      { path: '/in/1', headers, body: '' },
      { path: '/plain/1', headers: [], body: 'x' },
    ];
    const path = await recorded(messages, 'token.jsonl');
    provider.setRules([
      {
        name: 'token',
        match: { phase: 'request', header: { authorization: 'Bearer [redacted]' } },
        deny: { status: 401 },
      },
    ]);
    const { stdout, exitCode } = await replay(path);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('such a difference does not count for the exit code');
    expect(stdout).toContain("to give the value: --header 'authorization: …'");
    expect((await replay(path, '--strict')).exitCode).toBe(1);
    expect((await replay(path, '--header', 'Authorization: Bearer ada', '--strict')).exitCode).toBe(0);
    const only = join(folder, 'only.jsonl');
    writeFileSync(only, `${readFileSync(path, 'utf8').split('\n')[0]}\n`);
    expect(await replay(only)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('no result: every message is redacted'),
    });
  });

  it('makes no variable of a value that a client sent', async () => {
    const headers = [
      ['github-token', 'gh-1'],
      ['x-note', '[redacted]'],
    ] as const;
    const path = await recorded([{ path: '/plain/1', headers, body: 'note=[redacted]' }], 'marks.jsonl');
    provider.setRules([{ name: 'no', match: { phase: 'request' }, deny: { status: 403 } }]);
    const saved = join(folder, 'saved.yaml');
    await replay(path, '--save-cases', saved);
    const yaml = readFileSync(saved, 'utf8');
    const [one] = (parse(yaml) as { cases: { request: { headers: Record<string, string>; body: string } }[] })
      .cases;
    expect(one?.request.headers).toMatchObject({
      'github-token': `\${GITHUB_TOKEN}`,
      'x-note': '[redacted]',
    });
    expect(one?.request.body).toBe('note=[redacted]');
    expect(yaml).toContain('set GITHUB_TOKEN.');
  });
});
