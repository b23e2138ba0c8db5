import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testCommandSetup } from '../../../test/support/test-command.js';

const setup = testCommandSetup();
const { run, file } = setup;

describe('a file that is not right', () => {
  it.each([
    ['cases: [', /cases\.yaml:1:9: /],
    ['cases: []', /1:1: cases: Too small/],
    ['- 1', /1:1: expected a mapping/],
    ['cases: [{ name: a, request: { url: "https://h/" } }]', /1:9: cases\[0\]\.expect: is missing/],
    [
      'cases:\n  - name: a\n    wrong: 1\n    request: { url: "https://h/" }\n    expect: permit',
      /3:5: cases\[0\]\.wrong: is not known here/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/" }, expect: allow }]',
      /1:52: cases\[0\]\.expect: expected "permit" or "deny" or "refuse"/,
    ],
    [
      'cases: [{ name: a, request: { url: /x }, expect: permit }]',
      /request\.url: is a path: write an absolute URL, or set base_url/,
    ],
    [
      'cases: [{ name: a, request: { url: "ftp://h/" }, expect: permit }]',
      /request\.url: url is not an absolute http/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/", body: a, json: 1 }, expect: permit }]',
      /request\.json: write either body or json/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/", headers: { a: {} } }, expect: permit }]',
      /headers\.a: expected text or number or boolean or a list or null/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/", source_port: 70000 }, expect: permit }]',
      /source_port: .*65535/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/", client_certificate: no.pem }, expect: permit }]',
      /client_certificate: no.pem: there is no such file/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/" }, expect: { decision: permit, status: 200 } }]',
      /expect\.status: a permit has none/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/" }, expect: { decision: deny, headers: { removed: [a] } } }]',
      /headers\.removed: a deny has none/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/" }, expect: { decision: permit, body: { paths: { "$.a[": 1 } } } }]',
      /body\.paths\.\$\.a\[: not a JSONPath/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/" }, expect: { decision: permit, body: { matches: "(" } } }]',
      /body\.matches: not a regular expression/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/" }, expect: deny, response: {} }]',
      /response: the policy is not asked about a response/,
    ],
    [
      'cases: [{ name: a, request: { url: "https://h/" }, expect: permit, expect_response: pass }]',
      /expect_response: there is no response/,
    ],
    [
      `cases:\n  - name: a\n    request: { url: "https://h/\${NOT_SET}" }\n    expect: permit`,
      /3:16: cases\[0\]\.request\.url: the variable NOT_SET is neither/,
    ],
    [
      `cases: [{ name: a, rows: [{ d: permit }, { d: maybe }], request: { url: "https://h/" }, expect: "\${d}" }]`,
      /expect: expected .*"refuse".*\(row 2\)/,
    ],
    [
      `defaults: { request: { url: "https://h/\${2}" } }\ncases: [{ name: a, expect: permit }]`,
      /1:24: defaults\.request\.url: expected \$\{NAME\}/,
    ],
  ])('%s', async (text, message) => {
    const { stderr, exitCode } = await run(file(text));
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^ping-auth test: /);
    expect(exitCode).toBe(2);
  });

  it('is not there', async () => {
    expect(await run(join(setup.folder, 'none.yaml'))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('none.yaml: there is no such file'),
    });
  });
});

describe('defaults and variables', () => {
  it('are put together header by header, a body taking the place of another', async () => {
    const path = file(`base_url: https://bank.example/
variables: { GREETING: hello, WHO: { name: "\${USER_NAME:-nobody}" } }
defaults:
  tags: [all]
  request: { method: POST, headers: { X-A: "1", X-B: "2" }, json: { a: 1 } }
cases:
  - name: own
    request: { url: /own, headers: { x-a: "3", X-B: null }, body: "\${GREETING} $\${x}" }
    expect: permit
  - name: default
    request: { url: /default, json: "\${WHO}" }
    expect: permit
`);
    expect(await run(path, '--tag', 'all', '--jobs', '1')).toMatchObject({ exitCode: 0 });
    const [own, other] = setup.provider.requests;
    expect(own?.payload).toMatchObject({
      url: 'https://bank.example:443/own',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what an escaped one becomes
      body: 'hello ${x}',
      headers: [{ 'content-length': '10' }, { host: 'bank.example' }, { 'x-a': '3' }],
    });
    expect(other?.payload).toMatchObject({ body: '{"name":"nobody"}' });
  });
});
