import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PolicyProvider, startPolicyProvider } from '../../../dev/policy-provider/server.js';
import { FakeTerminal } from '../../../test/support/fake-terminal.js';
import { checkCommand } from './command.js';
import type { ConfigurationReport } from './finding.js';

const SECRET = 'check-test-secret-2';
let folder: string;
let provider: PolicyProvider;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-check-'));
  provider = await startPolicyProvider({ secret: SECRET });
  writeFileSync(join(folder, 'provider-ca.pem'), provider.ca);
});
afterAll(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

const check = (...args: string[]) => checkIn({ SECRET, PING_AUTH_SECRET: SECRET }, ...args);

async function checkIn(environment: Readonly<Record<string, string>>, ...args: string[]) {
  const terminal = new FakeTerminal(environment);
  await checkCommand(terminal).parseAsync(args, { from: 'user' });
  return terminal.result;
}

describe('ping-auth check of a file', () => {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const configuration = (secret: string, url = provider.url) =>
    JSON.stringify({
      service_url: url,
      shared_secret: secret,
      secret_header_name: 'CLIENT-TOKEN',
      ca_certificate: provider.ca,
    });

  it('goes through all configurations and fails if one fails', async () => {
    const path = write(
      'kong.yml',
      `
_format_version: "3.0"
services:
  - name: orders
    url: http://orders.internal
    plugins:
      - { name: ping-auth, config: ${configuration('{vault://env/ping-auth-secret}')} }
    routes:
      - name: create
        plugins:
          - { name: ping-auth, config: ${configuration('{vault://env/not-there}')} }
plugins:
  - { name: rate-limiting, config: {} }
`,
    );
    const { stdout, exitCode } = await check(path, '--json');
    const reports = (JSON.parse(stdout) as { configurations: ConfigurationReport[] }).configurations;
    expect(reports.map(({ where }) => where)).toEqual(['service orders', 'service orders, route create']);
    expect(reports[0]?.providers[0]?.findings.at(-1)?.step).toBe('latency');
    expect(reports[1]?.findings[0]?.text).toContain('NOT_THERE, which is not set here');
    expect(reports[1]?.providers[0]?.findings.at(-1)).toMatchObject({ step: 'secret', status: 'skipped' });
    expect(exitCode).toBe(1);
  });

  it('takes the secret from elsewhere when its vault cannot be asked', async () => {
    const path = write(
      'aws.yml',
      `plugins: [{ name: ping-auth, config: ${configuration('{vault://aws/x/y}')} }]`,
    );
    expect((await checkIn({}, path)).exitCode).toBe(1);
    expect((await checkIn({ SECRET }, path, '--secret-env', 'SECRET')).exitCode).toBe(0);
    expect((await checkIn({ PING_AUTH_SECRET: SECRET }, path)).exitCode).toBe(0);
  });

  it('checks failover providers, too', async () => {
    const config = `{ service_url: "${provider.url}", failover_service_urls: ["https://nowhere.invalid"], shared_secret: ${SECRET}, secret_header_name: CLIENT-TOKEN }`;
    const path = write('failover.yml', `plugins: [{ name: ping-auth, config: ${config} }]`);
    const { stdout } = await check(path, '--ca', join(folder, 'provider-ca.pem'));
    expect(stdout).toContain('nowhere.invalid cannot be resolved');
  });

  describe('of several configurations', () => {
    const several = () =>
      write(
        'several.yml',
        `
services:
  - name: shop
    plugins: [{ name: ping-auth, config: ${configuration('{vault://env/ping-auth-secret}')} }]
    routes:
      - { name: cart, plugins: [{ name: ping-auth, config: ${configuration('{vault://env/ping-auth-secret}')} }] }
  - name: bank
    routes:
      - { name: transfer, plugins: [{ name: ping-auth, config: ${configuration('{vault://env/ping-auth-secret}')} }] }
  - name: post
    routes:
      - { name: in, plugins: [{ name: ping-auth, config: ${configuration('{vault://env/ping-auth-secret}')} }] }
      - { name: out, plugins: [{ name: ping-auth, config: ${configuration('{vault://env/ping-auth-secret}')} }] }
`,
      );
    const places = async (...args: string[]) => {
      const { stdout } = await check(several(), '--json', ...args);
      return (JSON.parse(stdout) as { configurations: ConfigurationReport[] }).configurations;
    };

    it.each([
      ['service shop', ['service shop']],
      ['service shop, route cart', ['service shop, route cart']],
      ['service bank', ['service bank, route transfer']],
      ['route out', ['service post, route out']],
    ])("--where '%s' is %j", async (where, wanted) => {
      expect((await places('--where', where)).map((report) => report.where)).toEqual(wanted);
    });

    it('--where can be repeated', async () => {
      const reports = await places('--where', 'service bank', '--where', 'route in');
      expect(reports.map(({ where }) => where)).toEqual([
        'service bank, route transfer',
        'service post, route in',
      ]);
    });

    it('says which there are where --where fits none or several, or has no file', async () => {
      expect(await check(several(), '--where', 'service post')).toMatchObject({
        exitCode: 2,
        stderr: expect.stringMatching(
          /several configurations at 'service post' .*'service post, route in', 'service post, route out'/,
        ),
      });
      expect((await check(several(), '--where', 'route nowhere')).stderr).toMatch(
        /no configuration at 'route nowhere' .*'service shop', /,
      );
      expect((await check('--service-url', 'https://pa', '--where', 'x')).stderr).toContain('name the FILE');
    });

    it('asks about a URL of its own for each of them', async () => {
      const texts = (
        await places(
          ...['--where', 'service shop', '--where', 'service bank', '--where', 'route in'],
          ...[
            '--url',
            'https://all.example/x?a=https://b',
            '--url',
            'service bank=https://bank.example/y?a=b',
          ],
        )
      ).map(({ providers: [first] }) => first?.findings.find(({ step }) => step === 'decision')?.text);
      expect(texts).toEqual([
        'GET https://all.example/x is permitted',
        'GET https://bank.example/y is permitted',
        'GET https://all.example/x is permitted',
      ]);
      expect((await check(several(), '--url', 'service post=https://x')).stderr).toContain(
        "--url: several configurations at 'service post'",
      );
      expect((await check(several(), '--url', 'service x=https://x')).stderr).toContain(
        'no configuration at',
      );
    });
  });

  it('tells apart: nothing to check, no such file, not YAML, wrong usage', async () => {
    expect((await check(write('empty.yml', '_format_version: "3.0"\n'))).exitCode).toBe(3);
    expect((await check(join(folder, 'missing.yml'))).exitCode).toBe(2);
    expect((await check(write('bad.yml', 'a: [1\nb: }'))).exitCode).toBe(2);
    expect(await check()).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--service-url') });
    expect((await check('--service-url', 'https://pa', '--secret-env', 'UNSET')).stderr).toContain(
      'UNSET is not set',
    );
  });
});
