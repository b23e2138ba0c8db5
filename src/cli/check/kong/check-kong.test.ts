import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Closing } from '../../../../dev/closing.js';
import { type Authority, createAuthority } from '../../../../test/support/certificates.js';
import { type FakeKong, fakeAdminApi, OUR_SERVER } from '../../../../test/support/fake-admin-api.js';
import { FakeTerminal } from '../../../../test/support/fake-terminal.js';
import { VERSION } from '../../../version.js';
import { checkCommand } from '../command.js';
import type { ConfigurationReport } from '../finding.js';

const TOKEN = 'admin-token-of-the-test';
let authority: Authority;
let folder: string;
let closing = new Closing();

beforeAll(async () => {
  authority = await createAuthority();
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-admin-'));
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
});
afterEach(async () => {
  await closing.close();
  closing = new Closing();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `ping-auth check --admin-url …` in this process. */
async function check(url: string, ...args: string[]) {
  const terminal = new FakeTerminal({ TOKEN, WRONG: 'another' });
  await checkCommand(terminal).parseAsync(['--admin-url', url, ...args], { from: 'user' });
  return terminal.result;
}

/** `plugin failed: Kong runs the Lua plugin …` for each finding, the remedies, and the exit code. */
async function found(kong: FakeKong, ...args: string[]) {
  const { stdout, exitCode } = await check(await fakeAdminApi(kong, closing), '--json', ...args);
  const [report] = (JSON.parse(stdout) as { configurations: ConfigurationReport[] }).configurations;
  const findings = report?.findings ?? [];
  return {
    lines: findings.map(({ step, status, text }) => `${step} ${status}: ${text}`),
    remedies: findings.map(({ remedy }) => remedy ?? '').join('\n'),
    exitCode,
  };
}

const [guard] = parse(
  readFileSync(new URL('../../../../kong/guard/own-server.yml', import.meta.url), 'utf8'),
).plugins;
const OTHER_FUNCTION = { name: 'post-function', enabled: true, config: { header_filter: ['return'] } };
const of = (kind: 'service' | 'route' | 'consumer', id: string) => ({ [kind]: { id } });
const CONFIG = { service_url: 'https://pa.example:3020', shared_secret: 'Zk4', secret_header_name: 'X' };
const plugin = (...places: object[]) =>
  Object.assign({ name: 'ping-auth', enabled: true, config: CONFIG }, ...places);
/** Two services, three routes; everything that is not named is null, as Kong writes it. */
const kong = (...plugins: object[]): FakeKong => ({
  services: [
    { id: 's1', name: 'orders' },
    { id: 's2', name: 'catalogue' },
  ],
  routes: [
    { id: 'r1', name: 'orders-all', ...of('service', 's1') },
    { id: 'r2', name: 'catalogue-read', ...of('service', 's2') },
    { id: 'r3', name: null, service: null },
  ],
  plugins: plugins.map((one) => ({ service: null, route: null, consumer: null, ...one })),
});
const GUARD = { ...guard, enabled: true };

describe('ping-auth check --admin-url', () => {
  it('looks at a Kong 3.9 that cannot write down its own settings', async () => {
    expect(await found({ ...kong(plugin(), GUARD), runsServer: true })).toMatchObject({
      lines: [
        'kong ok: Kong 3.9.3',
        'plugin ok: Kong runs this plugin, ping-auth of an unknown version',
        'server skipped: Kong cannot tell: it answers 500 at / while it runs a plugin server itself (Kong 3.8 and 3.9)',
        expect.stringMatching(
          /^manager warning: GET \/ of the Admin API answers 500, so Kong Manager lists no plugins/,
        ),
        'scope ok: global: enabled',
        'scope ok: the policy is asked on 3 of 3 routes',
        'configuration ok: global: every field is valid',
        'guard ok: the guard is on every route that has the plugin, that of kong/guard/own-server.yml',
      ],
      exitCode: 0,
    });
    const { remedies } = await found({ ...kong(plugin()), runsServer: true });
    const conf = readFileSync(new URL('../../../../kong/kong.conf', import.meta.url), 'utf8');
    const line = conf.split('\n').find((text) => text.startsWith('nginx_admin_access_by_lua'));
    expect(remedies).toContain(line);
    expect(remedies).toContain('/plugins/ping-auth/create?routeId=r1');
    const { lines, exitCode } = await found({ ...kong(plugin()), runsServer: true, plugin: 'lua' });
    expect([lines[1], exitCode]).toEqual([
      'plugin failed: Kong runs the Lua plugin ping-auth of an unknown version, not this one',
      1,
    ]);
  });

  it('finds this plugin, its server, its places and the guard', async () => {
    expect(await found({ ...kong(plugin(), GUARD), hasAdminLine: true })).toEqual({
      lines: [
        'kong ok: Kong 3.9.3',
        `plugin ok: Kong runs this plugin, ping-auth ${VERSION}`,
        'server ok: ping-auth-server at /run/ping-auth/ping-auth.sock, started by Kong',
        'manager ok: Kong Manager can list plugins: kong.conf has the line for it',
        'scope ok: global: enabled',
        'scope ok: the policy is asked on 3 of 3 routes',
        'configuration ok: global: every field is valid',
        'guard ok: the guard is on every route that has the plugin',
      ],
      remedies: expect.stringMatching(/^\n*$/),
      exitCode: 0,
    });
  });

  it('finds that Kong Manager fails in the other worker of a Kong 3.8 or 3.9, and nowhere else', async () => {
    const manager = async (change: FakeKong) =>
      (await found({ ...kong(plugin(), GUARD), ...change })).lines.find((line) => line.startsWith('manager'));
    expect(await manager({})).toMatch(/^manager warning: .* \(this call met another one\)/);
    expect(await manager({ version: '3.8.1' })).toMatch(/^manager warning/);
    expect(await manager({ version: '3.10.0.2' })).toBeUndefined();
    const { start_command: _, ...external } = OUR_SERVER;
    expect(await manager({ servers: [external] })).toBeUndefined();
  });

  it('reminds whoever has trusted_ips set, which --strict does not count', async () => {
    const own = { ...kong(plugin(), GUARD), hasAdminLine: true };
    const { lines, remedies, exitCode } = await found(
      { ...own, trustedIps: ['10.0.0.0/8', '::1'] },
      '--strict',
    );
    expect(lines[1]).toMatch(
      /^kong note: Kong trusts X-Forwarded-\* headers of 10\.0\.0\.0\/8, ::1 .*routes by Host/,
    );
    expect(remedies).toContain("replace the client's own X-Forwarded-* headers");
    expect(exitCode).toBe(0);
    expect((await found(own)).lines.join()).not.toContain('trusted_ips');
  });

  it('warns of a route for gRPC', async () => {
    const own = kong(plugin());
    const routes = [{ id: 'g1', name: 'grpc-route', ...of('service', 's1'), protocols: ['grpc', 'grpcs'] }];
    expect((await found({ ...own, routes })).lines).toContainEqual(
      expect.stringMatching(/^scope warning: grpc-route: a route for gRPC/),
    );
  });

  describe('checks each configuration as the plugin does', () => {
    const configured = async (config: object, change: object = {}, ...args: string[]) => {
      const { lines, remedies, exitCode } = await found(
        kong(plugin({ config: { ...CONFIG, ...config } }, of('service', 's1'), change), GUARD),
        ...args,
      );
      return {
        found: lines.filter((line) => line.startsWith('configuration')),
        remedies,
        exitCode,
      };
    };

    it('a pasted certificate that is none', async () => {
      const {
        found: texts,
        remedies,
        exitCode,
      } = await configured({ ca_certificate: '-----BEGIN CERTIFICATE----- x' });
      expect(texts).toEqual([
        expect.stringMatching(
          /^configuration failed: service orders: ca_certificate: is cut off: .*; expected PEM text/,
        ),
      ]);
      expect(remedies).toContain('Until then every request there gets 500');
      expect(exitCode).toBe(1);
    });

    it('a pasted certificate whose line breaks became blanks is fine', async () => {
      const pasted = authority.cert.replaceAll('\n', ' ');
      expect((await configured({ ca_certificate: pasted, mode: null })).found).toEqual([
        'configuration ok: service orders: every field is valid',
      ]);
    });

    it('of one that is switched off a wrong field is a warning', async () => {
      const { found: texts, exitCode } = await configured({ connections: 0 }, { enabled: false });
      expect(texts[0]).toMatch(/^configuration warning: service orders: connections: must be a whole number/);
      expect(exitCode).toBe(0);
    });

    it('what only Kong can resolve, and what is masked, was not checked', async () => {
      const { found: texts, exitCode } = await configured({
        shared_secret: '{vault://env/not-here}',
        client_certificate: '{vault://aws/x}',
        client_key: '*****',
        failover_service_urls: ['{vault://env/b}'],
        connections: 64,
      });
      expect(texts).toEqual(
        expect.arrayContaining([
          'configuration skipped: service orders: the value of shared_secret was not checked: only Kong can resolve {vault://env/not-here}',
          'configuration skipped: service orders: the value of client_certificate was not checked: only Kong can resolve {vault://aws/x}',
          'configuration skipped: service orders: the value of client_key was not checked: the Admin API does not show it',
          'configuration skipped: service orders: the value of failover_service_urls was not checked: only Kong can resolve {vault://env/b}',
        ]),
      );
      expect(texts[0]).toBe('configuration ok: service orders: every other field is valid');
      expect(texts).toHaveLength(5);
      expect(exitCode).toBe(0);
      const url = await fakeAdminApi(
        kong(plugin({ config: { ...CONFIG, shared_secret: '{vault://env/x}' } })),
        closing,
      );
      expect((await check(url)).stdout).toMatch(/passed with .*; some values cannot be checked from here\n$/);
    });

    it('a reference is resolved where its variable is set, and is a warning where that value is wrong', async () => {
      expect((await configured({ shared_secret: '{vault://env/token}' })).found).toEqual([
        'configuration ok: service orders: every field is valid',
      ]);
      const { found: texts } = await configured({ ca_certificate: '{vault://env/token}' });
      expect(texts).toEqual([
        expect.stringMatching(
          /^configuration warning: service orders: ca_certificate: holds no certificate.* \(with the value that its vault reference has here\)$/,
        ),
      ]);
    });

    it('settings that are risky', async () => {
      expect((await configured({ fail_open_request: true })).found).toEqual([
        expect.stringMatching(/^configuration warning: service orders: fail_open_request: is true/),
        'configuration ok: service orders: every field is valid',
      ]);
    });
  });

  it('finds the Lua plugin in the way', async () => {
    const { lines, remedies, exitCode } = await found({ ...kong(plugin()), plugin: 'lua' });
    expect(lines).toContain('plugin failed: Kong runs the Lua plugin ping-auth 1.2.0, not this one');
    expect(remedies).toMatch(/luarocks remove kong-plugin-ping-auth.*does not ask the plugin server/);
    expect(exitCode).toBe(1);
  });

  it('finds that Kong does not know the plugin', async () => {
    const { lines, remedies, exitCode } = await found({ ...kong(), plugin: 'none', servers: [] });
    expect(lines).toEqual(['kong ok: Kong 3.9.3', 'plugin failed: Kong does not know a plugin ping-auth']);
    expect(remedies).toContain('plugins in kong.conf');
    expect(exitCode).toBe(1);
  });

  it('finds another version of the plugin', async () => {
    const { lines } = await found({ ...kong(plugin()), pluginVersion: '1.9.9' });
    expect(lines[1]).toBe(`plugin warning: Kong runs this plugin, ping-auth 1.9.9; this tool is ${VERSION}`);
  });

  it.each([
    ['3.7.1', 'failed'],
    ['2.8.5.1', 'failed'],
    ['3.8.0', 'ok'],
    ['3.10.0.2', 'ok'],
    ['4.0.0', 'ok'],
  ])('judges Kong %s: %s', async (version, status) => {
    expect((await found({ ...kong(), version })).lines[0]).toContain(`kong ${status}: Kong ${version}`);
  });

  it('says that a control plane does not run the plugin', async () => {
    const { lines } = await found({ ...kong(), role: 'control_plane' });
    expect(lines[0]).toMatch(/^kong warning: .*control plane/);
  });

  it('finds that Kong starts our tool as a plugin server', async () => {
    const servers = [{ ...OUR_SERVER, name: 'ping-auth', start_command: '/usr/local/bin/ping-auth' }];
    const { lines, remedies } = await found({ ...kong(plugin(), GUARD), servers });
    expect(lines[2]).toBe(
      'server warning: for the plugin server ping-auth Kong starts /usr/local/bin/ping-auth, the command-line tool, again and again',
    );
    expect(remedies).toContain('ping-auth-server');
  });

  it('knows a plugin server that somebody else starts', async () => {
    const { start_command: _, ...server } = OUR_SERVER;
    const { lines } = await found({ ...kong(plugin(), GUARD), servers: [server] });
    expect(lines[2]).toMatch(/^server ok: ping-auth-server at .*, not started by Kong$/);
  });

  it('reads all pages', async () => {
    const routes = Array.from({ length: 25 }, (_, i) => ({ id: `r${i}`, name: `route-${i}`, service: null }));
    const { lines } = await found({ ...kong(), routes, plugins: [plugin(), GUARD], pageSize: 10 });
    expect(lines).toContain('scope ok: the policy is asked on 25 of 25 routes');
  });

  it('prints in words, and a configuration of a file below', async () => {
    const file = join(folder, 'kong.yml');
    writeFileSync(file, 'plugins: [{ name: ping-auth, config: { service_url: nonsense } }]');
    const url = await fakeAdminApi(kong(plugin()), closing);
    const { stdout } = await check(url, file, '--no-color');
    expect(stdout).toContain(`ping-auth: Kong at ${url}/\n  ✓ kong          Kong 3.9.3\n`);
    expect(stdout).toContain('ping-auth: global\n  ✗ configuration');
  });
});

describe('where the plugin is', () => {
  const scopes = async (...plugins: object[]) =>
    (await found(kong(...plugins))).lines.filter((line) => line.startsWith('scope'));

  it('nowhere', async () => {
    expect(await scopes()).toEqual(['scope warning: the plugin is configured nowhere']);
  });

  it('on some routes only', async () => {
    expect(await scopes(plugin(of('service', 's1')))).toEqual([
      'scope ok: service orders: enabled',
      'scope ok: the policy is asked on 1 of 3 routes',
      'scope skipped: not on catalogue-read, r3',
    ]);
  });

  it('on a route whose own configuration hides those of its service and of everything', async () => {
    const lines = await scopes(plugin(), plugin(of('service', 's1')), plugin(of('route', 'r1')));
    expect(lines.slice(0, 3)).toEqual([
      'scope ok: global: enabled',
      'scope warning: service orders: enabled, and that of global does not apply there',
      'scope warning: route orders-all: enabled, and that of service orders and that of global does not apply there',
    ]);
  });

  it('switched off', async () => {
    expect(await scopes({ ...plugin(), enabled: false })).toEqual([
      'scope warning: global: switched off (enabled: false)',
      'scope ok: the policy is asked on 0 of 3 routes',
      'scope skipped: not on orders-all, catalogue-read, r3',
    ]);
  });

  it('switched off on a route, which exempts it from nothing', async () => {
    expect(await scopes(plugin(), { ...plugin(of('route', 'r1')), enabled: false })).toEqual([
      'scope ok: global: enabled',
      'scope warning: route orders-all: switched off (enabled: false), so that of global applies',
      'scope ok: the policy is asked on 3 of 3 routes',
    ]);
  });

  it('of a consumer, in the place of all others', async () => {
    expect((await scopes(plugin(), plugin(of('consumer', 'c1'))))[1]).toBe(
      'scope warning: consumer c1: enabled, and that of global does not apply there',
    );
  });
});

describe('the guard at a running Kong', () => {
  const guards = async (facts: FakeKong) => {
    const { lines, exitCode } = await found(facts);
    return [...lines.filter((line) => line.startsWith('guard')), exitCode];
  };

  it('is missing', async () => {
    expect(await guards(kong(plugin(of('route', 'r1'))))).toEqual([
      expect.stringMatching(/^guard warning: no guard on orders-all: .*headers and cookies$/),
      0,
    ]);
  });

  it.each([of('service', 's1'), of('consumer', 'c1')])(
    'is hidden by another post-function: %j',
    async (place) => {
      expect(await guards(kong(plugin(), GUARD, { ...OTHER_FUNCTION, ...place }))).toEqual([
        expect.stringMatching(
          /^guard warning: another post-function instead of the guard on (orders-all|consumer c1): /,
        ),
        0,
      ]);
    },
  );

  it('is missing beside another post-function', async () => {
    expect((await guards(kong(plugin(), OTHER_FUNCTION)))[0]).toMatch(
      /no guard on orders-all, catalogue-read, r3/,
    );
  });

  it('is switched off', async () => {
    expect((await guards(kong(plugin(), { ...GUARD, enabled: false })))[0]).toMatch(/no guard on/);
  });

  it('has to be the other one for the stock plugin server, which fails open without', async () => {
    const servers = [{ name: 'js', start_command: '/usr/bin/kong-js-pluginserver -d /opt/kong/js-plugins' }];
    expect(await guards({ ...kong(plugin(), GUARD), servers })).toEqual([
      expect.stringMatching(
        /^guard failed: no guard on .*: Kong lets requests pass while the stock plugin server is down/,
      ),
      1,
    ]);
  });
});

describe('an Admin API that cannot be read is named in words', () => {
  const errorResponse = async (url: string, ...args: string[]) => {
    const { stdout, exitCode } = await check(url, '--json', ...args);
    expect(stdout).not.toContain(TOKEN);
    const [report] = (JSON.parse(stdout) as { configurations: ConfigurationReport[] }).configurations;
    expect(exitCode).toBe(1);
    expect(report?.findings).toHaveLength(1);
    return `${report?.findings[0]?.text} → ${report?.findings[0]?.remedy}`;
  };
  const web = async (status: number, body: string) => {
    const server = createServer((_, response) => {
      response.statusCode = status;
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.add(() => new Promise<void>((resolve) => server.close(() => resolve())));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  it('nobody listens', async () => {
    const url = await web(200, '');
    await closing.close();
    expect(await errorResponse(url)).toMatch(/refuses connections.*admin_listen/);
  });

  it('no such host', async () => {
    expect(await errorResponse('http://nowhere.invalid:8001')).toMatch(/cannot be resolved.*--admin-url/);
  });

  it('no answer in time', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.add(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await errorResponse(url, '--timeout', '50')).toMatch(/does not answer in time.*--timeout/);
  });

  it('a token is wanted, refused, taken', async () => {
    const url = await fakeAdminApi({ ...kong(plugin(), GUARD), token: TOKEN }, closing);
    expect(await errorResponse(url)).toMatch(/wants a token.*KONG_ADMIN_TOKEN/);
    expect(await errorResponse(url, '--admin-token-env', 'WRONG')).toMatch(/refuses the token/);
    const { exitCode, stdout } = await check(url, '--admin-token-env', 'TOKEN');
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain(TOKEN);
  });

  it('TLS that is not trusted, and is with --admin-ca', async () => {
    const tls = await authority.issueServer(['localhost']);
    const url = await fakeAdminApi({ ...kong(plugin(), GUARD), tls }, closing);
    expect(await errorResponse(url)).toMatch(/(issuer|authority).*--admin-ca/);
    expect((await check(url, '--admin-ca', join(folder, 'ca.pem'))).exitCode).toBe(0);
    const other = await fakeAdminApi({ tls: await authority.issueServer(['kong.example']) }, closing);
    expect(await errorResponse(other, '--admin-ca', join(folder, 'ca.pem'))).toMatch(
      /another host.*a name of the/i,
    );
  });

  it('TLS where there is none, and none where there is', async () => {
    const plain = await fakeAdminApi({}, closing);
    expect(await errorResponse(plain.replace('http:', 'https:'))).toMatch(/does not use TLS.*http:/);
    const nginx = '<html>400 The plain HTTP request was sent to HTTPS port</html>';
    expect(await errorResponse(await web(400, nginx))).toMatch(/uses TLS.*https:/);
  });

  it.each([
    [404, '{"message":"no Route matched with those values","request_id":"a1"}', /Kong's proxy answers.*8001/],
    [200, '<html>Kong Manager</html>', /no Admin API answers \(status 200\).*8001/],
    [200, '{"hello":"world"}', /not as Kong does.*8001/],
    [500, '{"message":"An unexpected error occurred"}', /no Admin API answers \(status 500\)/],
  ])('something else: %i %s', async (status, body, words) => {
    expect(await errorResponse(await web(status, body))).toMatch(words);
  });

  it('an answer larger than any Kong gives, and one that breaks off', async () => {
    const endless = createServer((_, response) => {
      const write = () => {
        while (response.write(Buffer.alloc(1 << 20, 0x20)));
      };
      response.on('drain', write);
      write();
    });
    const broken = createServer((request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => request.socket.destroy());
    });
    for (const [server, words] of [
      [endless, /cannot be read.*ETOOLARGE/],
      [broken, /closed the connection.*https:/],
    ] as const) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closing.add(() => {
        server.closeAllConnections();
        server.close();
      });
      expect(await errorResponse(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).toMatch(
        words,
      );
    }
  });

  it('wrong usage', async () => {
    const run = async (...args: string[]) => {
      const terminal = new FakeTerminal();
      await checkCommand(terminal).parseAsync(args, { from: 'user' });
      return terminal.result;
    };
    expect(await run('--admin-url', 'http://127.0.0.1:1', '--admin-token-env', 'UNSET')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('UNSET is not set'),
    });
    expect(await run('--admin-ca', 'x', '--service-url', 'https://pa', '--secret-env', 'X')).toMatchObject({
      exitCode: 2,
    });
  });
});
