// What every command of `ping-auth` writes, whatever the files, the policy and the recordings hold.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { checkCommand } from '../../src/cli/check/command.js';
import { explainCommand } from '../../src/cli/explain/command.js';
import { inspectCommand } from '../../src/cli/inspect/command.js';
import { replayCommand } from '../../src/cli/replay/command.js';
import { duration, progressInWords, type Terminal } from '../../src/cli/terminal.js';
import { testCommand } from '../../src/cli/test/command.js';
import { FakeTerminal } from '../support/fake-terminal.js';

const SECRET = 'command-output-secret';
/** Clears the screen, sets the title, turns the direction of writing, ends the line, hides characters. */
const EVIL = 'a\u001b[2J\u001b]0;x\u0007\u202eb\u2066c\rd\u009be\u200bf\u{e0041}g\u001b[31mred';
const UNSAFE = /[^\P{Cc}\n\t]|[\p{Cf}\p{Zl}\p{Zp}]/u;

let folder: string;
let provider: PolicyProvider;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pa-output-'));
  provider = await startPolicyProvider({ secret: SECRET });
  provider.setRules([
    { name: 'no', match: { phase: 'request', path: '/no' }, deny: { status: 403, body: EVIL } },
    { name: 'other', match: { phase: 'request' }, change: { body: `${EVIL}!` } },
  ]);
  writeFileSync(join(folder, 'ca.pem'), provider.ca);
});
afterAll(async () => {
  await provider?.close();
  rmSync(folder, { recursive: true, force: true });
});

const access = () => [
  '--service-url',
  provider.url,
  '--secret-env',
  'SECRET',
  '--ca',
  join(folder, 'ca.pem'),
];

async function run(
  make: (terminal: Terminal) => Command,
  ...args: string[]
): Promise<FakeTerminal['result']> {
  const terminal = new FakeTerminal({ SECRET });
  await make(terminal).parseAsync(args, { from: 'user' });
  return terminal.result;
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const request = (path = '/') => ({
  ...{ source_ip: '192.0.2.1', source_port: 1, method: 'POST', url: `https://api.example:443${path}` },
  ...{ http_version: '1.1', headers: [{ host: 'api.example' }, { 'x-evil': EVIL }], body: EVIL },
});
const line = (id: string, path?: string) =>
  JSON.stringify({
    ...{ event: 'sideband', phase: 'access', request_id: id, route: EVIL, provider: 'https://pa.example' },
    ...{ payload: request(path), answer: { ...request(path), method: 'PUT' } },
  });

describe('no command lets a control sequence or an invisible character through', () => {
  const log = () =>
    file('evil.log', `${line(`r-${EVIL}`)}\n${line('r-2', '/no')}\n{"event":"decision","phase":"${EVIL}"}\n`);
  it.each<[string, () => Promise<FakeTerminal['result']>]>([
    ['explain', () => run(explainCommand, log())],
    ['explain, one request', () => run(explainCommand, log(), '--request-id', EVIL)],
    ['replay', () => run(replayCommand, log(), ...access(), '--rate', '1000')],
    ['replay --json', () => run(replayCommand, log(), ...access(), '--rate', '1000', '--json')],
    [
      'test',
      () => {
        const cases = {
          cases: [{ name: EVIL, request: { ...request(), headers: { a: 'b' } }, expect: 'deny' }],
        };
        return run(testCommand, file('evil.json', JSON.stringify(cases)), ...access());
      },
    ],
    ['test, a broken file', () => run(testCommand, file('evil.yaml', `cases:\n  - "${EVIL}`), ...access())],
    [
      'check',
      () => run(checkCommand, file('kong.yml', `plugins:\n- name: ping-auth\n  config: { "${EVIL}": 1 }\n`)),
    ],
    [
      'check, a service',
      () => {
        const plugins = [{ name: 'ping-auth', config: { service_url: EVIL } }];
        return run(checkCommand, file('kong.json', JSON.stringify({ services: [{ name: EVIL, plugins }] })));
      },
    ],
    ['inspect', () => run(inspectCommand, join(folder, EVIL.replaceAll('/', '')), '--port', '0')],
  ])('%s', async (_, output) => {
    const { stdout, stderr } = await output();
    expect(stdout + stderr).not.toBe('');
    expect(stdout + stderr).not.toMatch(UNSAFE);
  });

  it('but colours of its own', async () => {
    const { stdout } = await run(explainCommand, log(), '--color');
    expect(stdout).toContain('\u001b[32m+ ');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for
    expect(stdout.replaceAll(/\u001b\[(?:1|2|22|31|32|33|39)m/g, '')).not.toMatch(UNSAFE);
    expect(stdout).not.toContain('\u001b[31mred');
  });
});

describe('a file that cannot be read is told about in words', () => {
  it.each<[string, (terminal: Terminal) => Command, (path: string) => string[]]>([
    ['explain', explainCommand, (path) => [path]],
    ['inspect', inspectCommand, (path) => [path, '--port', '0']],
    ['replay', replayCommand, (path) => [path, ...access()]],
    ['replay --config', replayCommand, (path) => [file('a.log', line('r')), '--config', path]],
    [
      'replay --ca',
      replayCommand,
      (path) => [file('a.log', line('r')), ...access().slice(0, 4), '--ca', path],
    ],
    ['test', testCommand, (path) => [path, ...access()]],
    ['check', checkCommand, (path) => [path]],
    ['check --ca', checkCommand, (path) => [...access().slice(0, 4), '--ca', path]],
  ])('%s', async (_, make, args) => {
    mkdirSync(join(folder, 'folder'), { recursive: true });
    for (const [path, why] of [
      [join(folder, 'none.log'), /there is no such file/],
      [join(folder, 'folder'), /it is a folder|is not a file/],
      [join(folder, 'a.log', 'b'), /there is no such file/],
    ] as const) {
      file('a.log', line('r'));
      const { stderr, exitCode } = await run(make, ...args(path));
      expect(stderr).toMatch(why);
      expect(stderr).not.toMatch(/\bE[A-Z]{4,}\b|syscall|errno/);
      expect(exitCode).toBe(2);
    }
  });
});

describe('a request is named by the start of its id', () => {
  const log = () => file('ids.log', ['9c5c1b47aa', '9c5c1b99bb', '77'].map((id) => line(id)).join('\n'));

  it('when no other one starts like that', async () => {
    const { stdout, exitCode } = await run(explainCommand, log(), '--request-id', '9c5c1b4');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('(request 9c5c1b47aa)');
    expect(stdout).not.toContain('9c5c1b99bb');
  });

  it('and is told about otherwise', async () => {
    expect(await run(explainCommand, log(), '--request-id', '9c5c1b')).toMatchObject({
      exitCode: 2,
      stderr:
        'ping-auth explain: 2 requests start with 9c5c1b: 9c5c1b47aa, 9c5c1b99bb; write more of the id\n',
    });
    expect((await run(explainCommand, log(), '--request-id', 'x')).exitCode).toBe(3);
  });
});

describe('ping-auth explain', () => {
  it('shows the whole message when nothing changed', async () => {
    const message = { ...request(), headers: [{ host: 'api.example' }], body: '{"a":1,"b":[2]}' };
    const { stdout } = await run(
      explainCommand,
      file('same.json', JSON.stringify({ request: message, answer: message })),
    );
    expect(stdout).toContain('permitted, nothing changed');
    expect(stdout).toContain('  POST https://api.example:443/\n  host: api.example\n');
    expect(stdout).toContain('    "a": 1,');
    expect(stdout).not.toContain('…');
  });
});

describe('ping-auth test', () => {
  const cases = (count: number) =>
    file(
      'many.json',
      JSON.stringify({
        base_url: 'https://api.example',
        cases: Array.from({ length: count }, (_, n) => ({
          name: `case ${n}`,
          request: { url: '/' },
          expect: 'deny',
        })),
      }),
    );

  it('stops at the first connection that fails', async () => {
    const nobody = ['--service-url', 'https://127.0.0.1:9', '--secret-env', 'SECRET', '--jobs', '3'];
    const { stdout, exitCode } = await run(testCommand, cases(50), ...nobody);
    expect(exitCode).toBe(1);
    expect(stdout.match(/code provider_unreachable/g)).toHaveLength(1);
    expect(stdout).toContain('50 cases: 0 passed, 1 could not be asked, 49 not asked about');
  });

  it('stops at a certificate that is not trusted', async () => {
    const before = provider.requests.length;
    const args = access().slice(0, 4);
    const { stdout } = await run(testCommand, cases(20), ...args, '--jobs', '1', '--reporter', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, errors: 1, notAsked: 19 });
    expect(stdout.match(/provider_tls_failed/g)).toHaveLength(1);
    expect(provider.requests.length).toBe(before);
  });

  it('shows the whole message of a case that failed, changed or not', async () => {
    const { stdout } = await run(testCommand, cases(1), ...access());
    expect(stdout).toContain('GET https://api.example:443/');
    expect(stdout).not.toContain('…');
  });
});

describe('progress', () => {
  it.each([
    [1, 10, 10_000, '1 of 10 questions'],
    [120, 1000, 6000, '120 of 1,000 questions, 20 a second, 44 s left'],
    [9, undefined, 3000, '9 questions, 3.0 a second'],
    [1000, 1000, 50_000, '1,000 of 1,000 questions, 20 a second'],
  ])('%s of %s after %s ms', (done, total, ms, words) => {
    expect(progressInWords(done, total, 'questions', ms)).toBe(words);
  });

  it.each([
    [0.2, '1 s'],
    [89, '89 s'],
    [100, '2 min'],
    [7500, '2 h 5 min'],
  ])('%s s', (seconds, words) => expect(duration(seconds)).toBe(words));
});
