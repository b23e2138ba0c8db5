import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startPolicyProvider } from '../../../dev/policy-provider/server.js';
import { FakeTerminal } from '../../../test/support/fake-terminal.js';
import { SECRET, TOKEN, testCommandSetup } from '../../../test/support/test-command.js';
import { testCommand } from './command.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const demoCases = join(root, 'dev/demo/policy-tests.yaml');
const setup = testCommandSetup();
const { run, file, cases } = setup;

describe('ping-auth test of the demo', () => {
  it('passes with its rules', async () => {
    const { stdout, exitCode } = await run(demoCases);
    expect(stdout).toContain('✓ a guest may not DELETE');
    expect(stdout).toMatch(/\n11 cases: 11 passed\n$/);
    expect(exitCode).toBe(0);
  });

  it('fails where the rules are not these', async () => {
    const empty = await startPolicyProvider({ secret: SECRET });
    try {
      writeFileSync(join(setup.folder, 'empty-ca.pem'), empty.ca);
      const terminal = new FakeTerminal({ SECRET });
      const args = [
        '--service-url',
        empty.url,
        '--secret-env',
        'SECRET',
        '--ca',
        join(setup.folder, 'empty-ca.pem'),
      ];
      await testCommand(terminal).parseAsync([demoCases, '--reporter', 'json', ...args], { from: 'user' });
      const report = JSON.parse(terminal.result.stdout) as { cases: { name: string; status: string }[] };
      const passed = report.cases.filter(({ status }) => status === 'passed').map(({ name }) => name);
      expect(passed).toEqual(["other parts of the site are nobody's business"]);
      expect(terminal.result.exitCode).toBe(1);
    } finally {
      await empty.close();
    }
  });

  it('asks about what is chosen by name and tag', async () => {
    const { stdout } = await run(demoCases, '--grep', 'guest may not P', '--tag', 'guests', '--tag', 'smoke');
    expect(stdout.match(/^✓.*?(?= \()/gm)).toEqual(
      ['POST', 'PUT', 'PATCH'].map((m) => `✓ a guest may not ${m}`),
    );
    expect(setup.provider.requests).toHaveLength(3);
    expect(await run(demoCases, '--grep', 'unheard of')).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('none of 11 cases'),
    });
  });
});

describe('a request of a case', () => {
  it('is shown to the policy as the plugin would show it', async () => {
    const path = cases(`  - name: all there is
    request:
      method: PUT
      url: /a/../b%2e?q=1
      http_version: "1.0"
      source_ip: 198.51.100.7
      source_port: 4711
      headers: { X-List: [one, two], x-number: 5 }
      json: { a: [1] }
    expect: permit
`);
    expect((await run(path)).exitCode).toBe(0);
    const [call] = setup.provider.requests;
    expect(call?.payload).toEqual({
      source_ip: '198.51.100.7',
      source_port: 4711,
      method: 'PUT',
      url: 'https://bank.example:443/b.?q=1',
      http_version: '1.0',
      headers: [
        { 'content-type': 'application/json' },
        { 'content-length': '9' },
        { host: 'bank.example' },
        { 'x-list': 'one' },
        { 'x-list': 'two' },
        { 'x-number': '5' },
      ],
      body: '{"a":[1]}',
    });
  });

  it('can have a client certificate from a file beside the cases', async () => {
    const path = cases(`  - name: with a certificate
    request: { url: /, client_certificate: ca.pem }
    expect: permit
`);
    expect(await run(path)).toMatchObject({ exitCode: 0 });
    const [call] = setup.provider.requests;
    expect(call?.payload).toMatchObject({ client_certificate: { x5c: [expect.any(String)] } });
  });

  it('takes the provider and the rules for messages from a kong.yml', async () => {
    const config = (extra: string) =>
      `{ name: ping-auth, config: { service_url: "${setup.provider.url}", shared_secret: "{vault://env/secret}", secret_header_name: CLIENT-TOKEN, ca_certificate: ${JSON.stringify(setup.provider.ca)}${extra} } }`;
    const kong = file(
      `services:\n  - { name: a, plugins: [${config('')}] }\n  - { name: b, plugins: [${config(', send_request_body: false')}] }\n`,
      'kong.yml',
    );
    const path = cases('  - { name: x, request: { url: /, method: POST, body: text }, expect: permit }\n');
    const terminal = new FakeTerminal({ SECRET });
    const ask = (...more: string[]) =>
      testCommand(terminal).parseAsync([path, '--config', kong, ...more], { from: 'user' });
    await ask();
    expect(terminal.result.stderr).toContain("choose one with --where: 'service a', 'service b'");
    await ask('--where', 'service b');
    expect(terminal.result).toMatchObject({ exitCode: 0 });
    expect(setup.provider.requests[0]?.payload).not.toHaveProperty('body');
  });

  it('takes variables from the environment, and never prints them', async () => {
    const path = cases(`  - name: with a token
    request: { url: /bank/accounts, headers: { Authorization: "\${TOKEN}" } }
    expect: { decision: permit, headers: { lacks: [authorization] } }
`);
    for (const reporter of [[], ['--reporter', 'json'], ['--reporter', 'junit'], ['--reporter', 'github']]) {
      const { stdout, exitCode } = await run(path, ...reporter);
      expect(exitCode).toBe(1);
      expect(stdout).not.toContain('token-of-the-environment');
    }
    expect(JSON.stringify(setup.provider.requests)).toContain(TOKEN);
    expect((await run(path)).stdout).toContain(`header authorization: expected nothing, got \${TOKEN}`);
  });
});

describe('what fails', () => {
  const one = (
    expected: string,
    request = 'url: /bank/transfers?trace=1, method: POST, headers: { Authorization: Bearer ada, X-Debug: a }, json: { amount: 1, fee: 2 }',
  ) => cases(`  - { name: it, request: { ${request} }, expect: ${expected} }\n`);

  it.each([
    ['deny', 'decision: expected deny, got permit'],
    ['refuse', 'decision: expected refuse, got permit'],
    ['{ decision: permit, changes: [body] }', 'changes'],
    ['{ decision: permit, method: PUT }', 'method: expected PUT, got POST'],
    ['{ decision: permit, url: /bank/transfers }', '?reviewed=yes'],
    ['{ decision: permit, state: absent }', 'state: expected nothing, got {"who":"Bearer ada"}'],
    ['{ decision: permit, state: { paths: { $.who: eve } } }', 'state $.who: expected eve, got Bearer ada'],
    ['{ decision: permit, headers: { has: { x-customer-tier: lead } } }', 'expected lead, got gold'],
    [
      '{ decision: permit, headers: { has: { x-customer-tier: { matches: ^lead } } } }',
      'expected /^lead/, got gold',
    ],
    ['{ decision: permit, headers: { lacks: [X-Customer-Tier] } }', 'expected nothing, got gold'],
    ['{ decision: permit, headers: { added: { x-debug: a } } }', 'header x-debug before the policy'],
    [
      '{ decision: permit, headers: { changed: { x-customer-tier: gold } } }',
      'expected another value, got nothing',
    ],
    ['{ decision: permit, headers: { changed: { authorization: Bearer ada } } }', 'expected a change'],
    ['{ decision: permit, headers: { removed: [authorization] } }', 'expected nothing, got Bearer ada'],
    ['{ decision: permit, headers: { removed: [x-none] } }', 'expected any value, got nothing'],
    ['{ decision: permit, body: "" }', 'body: expected empty text, got {"amount":1}'],
    ['{ decision: permit, body: { contains: fee } }', 'expected … fee …'],
    ['{ decision: permit, body: { matches: ^x } }', 'expected /^x/'],
    ['{ decision: permit, body: { unchanged: true } }', '"fee": 2'],
    ['{ decision: permit, body: { json: { amount: 2 } } }', '"amount":2'],
    ['{ decision: permit, body: { paths: { $.amount: 2 } } }', 'body $.amount: expected 2, got 1'],
    ['{ decision: permit, body: { paths: { "$[*]": [2] } } }', 'expected [2], got [1]'],
    ['{ decision: permit, body: { absent: [$.amount] } }', 'body $.amount: expected nothing, got 1'],
  ])('%s', async (expected, text) => {
    const { stdout, exitCode } = await run(one(expected));
    expect(exitCode).toBe(1);
    expect(stdout).toContain('✗ it');
    expect(stdout.replaceAll(/\n {4}[-+ ] /g, '\n')).toContain(text);
    expect(stdout).toContain('1 case: 0 passed, 1 failed');
  });

  it('shows where the case stands, and as a diff what became of the message', async () => {
    const { stdout } = await run(one('deny'), '--color');
    expect(stdout).toMatch(/cases\.yaml:3:5/);
    expect(stdout).toContain('\u001b[31m- x-debug: a');
    expect(stdout).toContain('\u001b[32m+ x-customer-tier: gold');
  });

  it('is about the response, too', async () => {
    const path = cases(`  - name: it
    request: { url: /bank/profile, headers: { Authorization: "\${ADA}" } }
    expect: permit
    response: { json: { ssn: 1 } }
    expect_response: { status: 204, body: { paths: { $.ssn: 1 } } }
`);
    const { stdout } = await run(path);
    expect(stdout).toContain('response status: expected 204, got 200');
    expect(stdout).toContain('response body $.ssn: expected 1, got nothing');
    expect(stdout).toContain('-   "ssn": 1');
  });

  it('tells apart what could not be asked', async () => {
    setup.provider.setRules([{ name: 'down', match: { path: '/down' }, error: { status: 500 } }]);
    const text = `  - { name: hoped, request: { url: /down }, expect: permit }
  - { name: expected, request: { url: /down }, expect: { decision: refuse, status: 502, code: provider_failing } }
  - { name: never asked, request: { url: /, method: TRACE }, expect: { decision: refuse, code: method_not_supported } }
`;
    const { stdout, exitCode } = await run(cases(text), '--reporter', 'json');
    setup.provider.setRules([]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      passed: 2,
      failed: 0,
      errors: 1,
      cases: [
        { name: 'hoped', status: 'error', problem: expect.stringContaining('code provider_failing') },
        { status: 'passed' },
        { status: 'passed' },
      ],
    });
  });
});

describe('reports for machines', () => {
  const mixed = () =>
    cases(`  - { name: "good & <b>\\u0001", request: { url: / }, expect: permit }
  - { name: "bad, 100%:", request: { url: / }, expect: deny }
  - { name: later, skip: true, request: { url: / }, expect: deny }
`);

  it('JUnit', async () => {
    const { stdout } = await run(mixed(), '--reporter', 'junit');
    expect(stdout).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites name="ping-auth test" tests="3" failures="1" errors="0" skipped="1" time="\d+\.\d{3}">/,
    );
    expect(stdout).toContain('name="good &amp; &lt;b&gt;\ufffd"');
    expect(stdout).toContain('<failure message="decision: expected deny, got permit">');
    expect(stdout).toContain('<skipped/>');
    expect(stdout.match(/<(\w+)/g)?.length).toBe(stdout.match(/<\/\w+|\/>/g)?.length ?? 0);
  });

  it('GitHub', async () => {
    const path = mixed();
    const { stdout } = await run(path, '--reporter', 'github');
    expect(stdout).toContain(
      `::error file=${path},line=4,col=5,title=bad%2C 100%25%3A::decision: expected deny, got permit%0Athe request is permitted, nothing changed\n`,
    );
    expect(stdout).toContain('1 passed, 1 failed, 0 could not be asked, 1 skipped');
  });

  it('go to a file, and people get theirs', async () => {
    const output = join(setup.folder, 'report.json');
    const { stdout } = await run(mixed(), '--reporter', 'json', '--output', output);
    expect(stdout).toContain('3 cases: 1 passed, 1 failed, 1 skipped');
    expect(JSON.parse(readFileSync(output, 'utf8'))).toMatchObject({ passed: 1, failed: 1, skipped: 1 });
  });
});
