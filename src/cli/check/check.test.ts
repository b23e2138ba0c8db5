import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PolicyProvider, startPolicyProvider } from '../../../dev/policy-provider/server.js';
import {
  type Authority,
  createAuthority,
  EXPIRED,
  type Identity,
  selfSignedServer,
} from '../../../test/support/certificates.js';
import { FakeTerminal } from '../../../test/support/fake-terminal.js';
import { checkCommand } from './command.js';
import type { ConfigurationReport, Finding } from './finding.js';

const SECRET = 'check-test-secret-1';
let authority: Authority;
let folder: string;
let provider: PolicyProvider;
const servers: Server[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-check-'));
  authority = await createAuthority();
  provider = await startPolicyProvider({ secret: SECRET });
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
  writeFileSync(join(folder, 'provider-ca.pem'), provider.ca);
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});
afterAll(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `ping-auth check …` in this process. */
async function check(...args: string[]) {
  const terminal = new FakeTerminal({ SECRET, WRONG: 'not-the-secret' });
  await checkCommand(terminal).parseAsync(args, { from: 'user' });
  return terminal.result;
}

/** The findings of the only provider of the only configuration, and the exit code. */
async function findings(...args: string[]): Promise<{ found: Finding[]; exitCode: number }> {
  const { stdout, exitCode } = await check('--json', ...args);
  const [report] = (JSON.parse(stdout) as { configurations: ConfigurationReport[] }).configurations;
  return { found: [...(report?.findings ?? []), ...(report?.providers[0]?.findings ?? [])], exitCode };
}

function listen(server: Server): Promise<number> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

async function httpsUrl(identity: Identity, listener: RequestListener): Promise<string> {
  return `https://localhost:${await listen(createHttpsServer(identity, listener))}`;
}

const withSecret = ['--secret-env', 'SECRET'];
const trusting = () => [...withSecret, '--ca', join(folder, 'ca.pem')];
const trustingProvider = () => ['--ca', join(folder, 'provider-ca.pem')];

describe('ping-auth check of a policy provider that works', () => {
  it('says so, step by step, with the latency', async () => {
    const result = await findings('--service-url', provider.url, ...withSecret, ...trustingProvider());
    expect(result.found.map(({ step, status }) => `${step} ${status}`)).toEqual([
      'configuration ok',
      'name skipped', // an address
      'connection ok',
      'tls warning', // the certificate of the development provider lives for a few days
      'endpoint ok',
      'secret ok',
      'decision ok',
      'response ok',
      'latency ok',
    ]);
    expect(result.exitCode).toBe(0);
    expect(result.found.find(({ step }) => step === 'tls')?.text).toMatch(/expires in \d+ days/);
  });

  it('takes the secret from PING_AUTH_SECRET, unless told otherwise', async () => {
    const run = async (environment: Readonly<Record<string, string>>, ...args: string[]) => {
      const terminal = new FakeTerminal(environment);
      await checkCommand(terminal).parseAsync(
        ['--service-url', provider.url, ...trustingProvider(), ...args],
        { from: 'user' },
      );
      return terminal.result;
    };
    expect((await run({ PING_AUTH_SECRET: SECRET })).exitCode).toBe(0);
    expect((await run({ PING_AUTH_SECRET: 'wrong', SECRET }, '--secret-env', 'SECRET')).exitCode).toBe(0);
    expect(await run({})).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('put the secret into the environment variable PING_AUTH_SECRET'),
    });
  });

  it('counts warnings for the exit code with --strict', async () => {
    const args = ['--service-url', provider.url, ...withSecret, ...trustingProvider(), '--strict'];
    const { stdout, exitCode } = await check(...args);
    expect(stdout).toMatch(/^1 configuration checked: 1 warning, which --strict counts as failures$/m);
    expect(exitCode).toBe(1);
    expect(JSON.parse((await check(...args, '--json')).stdout)).toMatchObject({ ok: false });
  });

  it('tells what the policy says about the request that is asked about', async () => {
    provider.setRules([
      {
        name: 'guests',
        match: { path: '/orders', method: 'POST', header: { 'x-role': 'guest' } },
        deny: { status: 403 },
      },
    ]);
    const ask = ['--url', 'https://api.example/orders', '--method', 'POST'];
    const args = ['--service-url', provider.url, ...withSecret, ...trustingProvider(), ...ask];
    const texts = async (...more: string[]) =>
      (await findings(...args, ...more)).found.map(({ text }) => text);
    expect(await texts('--header', 'X-Role: guest')).toContain(
      'POST https://api.example/orders is denied with status 403',
    );
    expect(await texts()).toContain('POST https://api.example/orders is permitted');
    provider.setRules([]);
  });

  it('speaks in words, without the secret, without colours where there is no terminal', async () => {
    const { stdout } = await check('--service-url', provider.url, ...withSecret, ...trustingProvider());
    expect(stdout).toContain('✓ secret        the secret in CLIENT-TOKEN is accepted');
    expect(stdout).toMatch(/^1 configuration checked: passed with 1 warning$/m);
    expect(stdout).toContain('127.0.0.1 is an address');
    expect(stdout).not.toContain(SECRET);
    expect(stdout).not.toContain('\u001b');
  });
});

describe('ping-auth check names what is wrong, and where to change it', () => {
  const expectFailure = (
    { found, exitCode }: { found: Finding[]; exitCode: number },
    step: string,
    text: RegExp,
    remedy: RegExp,
  ) => {
    expect(found.filter(({ status }) => status === 'failed')).toEqual([
      { step, status: 'failed', text: expect.stringMatching(text), remedy: expect.stringMatching(remedy) },
    ]);
    expect(exitCode).toBe(1);
  };

  it('a host that does not exist', async () => {
    const result = await findings('--service-url', 'https://nowhere.invalid:3020', ...withSecret);
    expectFailure(result, 'name', /nowhere\.invalid cannot be resolved/, /service_url|resolv\.conf/);
  });

  it('a port where nobody listens', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const result = await findings('--service-url', `https://127.0.0.1:${port}`, ...withSecret);
    expectFailure(result, 'connection', /refuses connections/, /sideband\.http\.enabled=true/);
  });

  it('a self-signed certificate', async () => {
    const url = await httpsUrl(await selfSignedServer(['localhost']), () => undefined);
    expectFailure(
      await findings('--service-url', url, ...withSecret),
      'tls',
      /self-signed/,
      /ca_certificate/,
    );
  });

  it('an authority that is not trusted', async () => {
    const url = await httpsUrl(await authority.issueServer(['localhost']), () => undefined);
    expectFailure(
      await findings('--service-url', url, ...withSecret),
      'tls',
      /not trusted|unknown/,
      /ca_certificate/,
    );
  });

  it('an expired certificate', async () => {
    const url = await httpsUrl(await authority.issueServer(['localhost'], EXPIRED), () => undefined);
    expectFailure(
      await findings('--service-url', url, ...trusting()),
      'tls',
      /expired \d days? ago/,
      /renew/,
    );
  });

  it('a certificate for another host', async () => {
    const url = await httpsUrl(await authority.issueServer(['pa.example']), () => undefined);
    expectFailure(
      await findings('--service-url', url, ...trusting()),
      'tls',
      /another host.*pa\.example/,
      /tls_server_name/,
    );
  });

  it('a port without TLS', async () => {
    const port = await listen(createHttpServer((_, response) => response.end('hello')));
    const result = await findings('--service-url', `https://127.0.0.1:${port}`, ...withSecret);
    expectFailure(result, 'tls', /not TLS/, /service_url/);
  });

  it('a provider that asks for a client certificate', async () => {
    const identity = await authority.issueServer(['localhost']);
    const server = createHttpsServer({
      ...identity,
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const result = await findings(
      '--service-url',
      `https://localhost:${await listen(server)}`,
      ...trusting(),
    );
    const failure = result.found.find(({ status }) => status === 'failed');
    expect(`${failure?.text} ${failure?.remedy}`).toContain('client_certificate');
  });

  it('a page where the Sideband API should be', async () => {
    const url = await httpsUrl(await authority.issueServer(['localhost']), (_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<html>PingAccess admin</html>');
    });
    expectFailure(
      await findings('--service-url', url, ...trusting()),
      'endpoint',
      /HTML/,
      /service_url.*3020/,
    );
  });

  it('a path that the provider does not know, or an API that it does not protect', async () => {
    const url = await httpsUrl(await authority.issueServer(['localhost']), (_, response) => {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"id":"e-1","code":"NOT_FOUND","message":"no API"}');
    });
    const mine = ['--url', 'https://api.example/orders'];
    const result = await findings('--service-url', url, ...trusting(), ...mine);
    expectFailure(result, 'endpoint', /404.*asked about https:\/\/api\.example\/orders/s, /API/);
    expect(result.found.find(({ step }) => step === 'name')?.text).toMatch(
      /^localhost resolves to .*127\.0\.0\.1/,
    );
    // Without --url hardly a policy knows the URL that is asked about.
    const unknown = await findings('--service-url', url, ...trusting());
    expect(unknown.exitCode).toBe(0);
    expect(unknown.found.at(-1)).toMatchObject({
      step: 'endpoint',
      status: 'warning',
      text: expect.stringContaining('https://ping-auth-check.invalid/, which is not a URL of your API'),
      remedy: expect.stringContaining('--url'),
    });
    expect((await findings('--service-url', url, ...trusting(), '--strict')).exitCode).toBe(1);
  });

  it('a wrong secret', async () => {
    const args = ['--service-url', provider.url, '--secret-env', 'WRONG', ...trustingProvider()];
    expectFailure(await findings(...args), 'secret', /401/, /shared_secret.*secret_header_name/);
  });

  it('a wrong name of the secret’s header', async () => {
    const args = [
      '--service-url',
      provider.url,
      ...withSecret,
      '--secret-header',
      'X-Other',
      ...trustingProvider(),
    ];
    expectFailure(await findings(...args), 'secret', /401/, /secret_header_name/);
  });

  it.each([
    ['https://pa.example:3020/sideband', /service_url: ends in \/sideband/],
    ['pa.example', /service_url: must start with https/],
  ])('service_url %s', async (url, text) => {
    expectFailure(await findings('--service-url', url, ...withSecret), 'configuration', text, /Kong/);
  });
});
