// Every command in the documentation is run, here or elsewhere, or there is a reason why not; every kong.conf and kong.yml
// in it is loaded by the stand-in for Kong. Names of hosts and folders are replaced, nothing else.
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { sendRequest } from '../../dev/http-client.js';
import { type KongConf, parseKongConf, readSettings } from '../../dev/kong/config/kong-conf.js';
import { type RunningKong, startKong } from '../../dev/kong/start-kong.js';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { startUpstream } from '../../dev/upstream/server.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { createAuthority } from '../support/certificates.js';
import { fakeAdminApi } from '../support/fake-admin-api.js';
import { inlineCode, read, root, snippet, snippets } from './pages.js';

/** Not run here. `in`: what runs it instead, a file that has this text in it. */
const CURL_TO_KONG = `curl -X POST http://127.0.0.1:8001/services/orders/plugins -H 'Content-Type: application/json' -d '{"name": "ping-auth", "config": {"service_url": "https://pingaccess.example.com:3020", "shared_secret": "{vault://env/ping-auth-secret}", "secret_header_name": "CLIENT-TOKEN"}}'`;

const NOT_RUN: Record<
  string,
  { readonly in?: readonly [path: string, text: string]; readonly because?: string }
> = {
  'ping-auth shadow /var/log/ping-auth/exchanges.jsonl': {
    in: ['test/operations/shadow-report.test.ts', "report('recorded.jsonl')"],
  },
  'npm ci': { in: ['.ci/run', 'npm ci'] },
  'npm ci && npm test': { in: ['.ci/run', 'npm test'] },
  'npm test': { in: ['.ci/run', 'npm test'] },
  'npm ci && npm run demo': { because: 'stays up; the next one tells the same stories and ends' },
  'npm run demo': { because: 'stays up; the next one tells the same stories and ends' },
  'ping-auth inspect /var/log/ping-auth/ping-auth.log': {
    in: ['test/inspector/inspect-process.ts', "'inspect', file"],
  },
  [CURL_TO_KONG]: { because: 'needs a Kong with a database; its configuration is that of getting-started' },
  "ping-auth check kong.yml --url 'service orders=https://api.example.com/orders' --strict": {
    in: ['src/cli/check/check-file.test.ts', 'service bank=https://bank.example/y?a=b'],
  },
  'npm run demo -- --once': { in: ['.ci/run', 'npm run demo -- --once'] },
  'npm run build': { in: ['package.json', '"pretest": "npm run build"'] },
  'npm run generate': { in: ['scripts/generate.ts', 'A test fails when one of them is out of date'] },
  'npm pack': { in: ['test/package/npm-package.test.ts', "'pack'"] },
  'npm install --global ./kong-plugin-ping-auth-*.tgz': {
    in: ['test/package/npm-package.test.ts', "'install'"],
  },
  'npm install --global kong-pdk@0.6.0 ./kong-plugin-ping-auth-*.tgz': {
    in: ['test/package/stock-host.ts', 'kong-pdk/bin/kong-js-pluginserver'],
  },
  'npm prefix --global': { because: 'npm’s own' },
  'npm root --global': { because: 'npm’s own' },
  'npm run test:node': { in: ['.ci/run', 'npm run test:node'] },
  'KONG=/usr/local/bin/kong npm run test:kong': { in: ['.github/workflows/ci.yml', 'npm run test:kong'] },
  'npm run build:sea': { in: ['test/single/executables.check.ts', 'build-sea.mjs'] },
  'npm run test:sea': { in: ['package.json', '"test:sea"'] },
  'install -m 755 dist/single/ping-auth-pluginserver dist/single/ping-auth /usr/local/bin/': {
    because: 'npm run test:sea runs these files where they are built',
  },
  'docker build': { because: 'there is no container engine here, as docs/deployment.md says' },
  'docker build -f kong/Dockerfile -t kong-ping-auth .': {
    in: ['test/deployment/image.test.ts', 'buildStage'],
  },
  'docker compose up': { in: ['test/deployment/compose.test.ts', 'curl lines'] },
  'docker-compose config': { because: 'run once by hand, as docs/deployment.md says' },
  'promtool check rules': { because: 'run once by hand, as docs/deployment.md says' },
  'systemd-analyze verify': { because: 'run once by hand, as docs/deployment.md says' },
  'kong check': { because: 'needs a Kong' },
  'kong config parse': { because: 'needs a Kong' },
  'kong reload': { because: 'needs a Kong' },
  'kong restart': { because: 'needs a Kong' },
  'ping-auth check --mcp https://gateway.example.com/mcp': {
    in: ['src/cli/check/mcp/check-mcp.test.ts', "'--mcp', url"],
  },
  'ping-auth check --mcp https://gateway.example.com/mcp --token-env MCP_ACCESS_TOKEN': {
    in: ['src/cli/check/mcp/check-mcp.test.ts', "'--token-env', 'TOKEN'"],
  },
  'curl -s http://127.0.0.1:8001/schemas/plugins/ping-auth | grep -c ca_certificate': {
    in: ['src/cli/check/kong/check-kong.ts', "'ca_certificate'"],
  },
  "echo 'd /run/ping-auth 0750 kong kong' > /etc/tmpfiles.d/ping-auth.conf": { because: 'needs root' },
  'systemd-tmpfiles --create /etc/tmpfiles.d/ping-auth.conf': { because: 'needs root and systemd' },
  'install -d -o kong -g kong -m 750 /var/log/ping-auth': { because: 'needs a user kong' },
  'mkdir -p /etc/systemd/system/kong.service.d': { because: 'needs root and systemd' },
  'printf \'[Service]\\nEnvironment=PING_AUTH_SECRET=%s\\n\' "$PING_AUTH_SECRET" > /etc/systemd/system/kong.service.d/ping-auth.conf':
    { because: 'needs root and systemd' },
  'chmod 600 /etc/systemd/system/kong.service.d/ping-auth.conf': { because: 'needs root and systemd' },
  'npx vitest run src': { in: ['package.json', '"test": "vitest run"'] },
  'npx vitest src/directives': { because: 'stays up; npm test runs the same tests' },
  "PING_AUTH_TEST_LOGS=1 npx vitest run test/e2e/bodies.test.ts -t 'arrive whole'": {
    because: 'only prints more than the command above',
  },
  'COVERAGE=1 npm test && npm run coverage': { in: ['.ci/run', 'npm run coverage'] },
  'npm run core-size': { because: 'only counts lines and files' },
  'npm run lint && npm run typecheck': { in: ['.ci/run', 'npm run typecheck'] },
  'npm run record -- --kong /usr/local/bin/kong --out recordings/3.10': { because: 'needs a Kong' },
  'npm run record -- --diff recordings/3.9 recordings/3.10': { because: 'needs recordings of two Kongs' },
  'npm run format': { in: ['package.json', '"format": "biome check --write ."'] },
  'export PING_AUTH_SECRET=only-for-development': {
    in: ['test/docs/tutorial.test.ts', 'only-for-development'],
  },
  'npx tsx dev/policy-provider/main.ts --port 3020 --rules kong/compose/rules.yaml --ca-out ca.pem --secret-env PING_AUTH_SECRET &':
    { in: ['test/docs/tutorial.test.ts', 'dev/policy-provider/main.ts'] },
  'npx tsx dev/upstream/main.ts --port 9000 &': {
    in: ['test/docs/tutorial.test.ts', 'dev/upstream/main.ts'],
  },
  'curl -i http://127.0.0.1:8000/shop/hello': { in: ['test/docs/tutorial.test.ts', "curl('/shop/hello')"] },
  'curl -i http://127.0.0.1:8000/shop/admin': { in: ['test/docs/tutorial.test.ts', "curl('/shop/admin')"] },
  "curl -i http://127.0.0.1:8000/orders -H 'Authorization: Bearer …'": {
    in: ['test/docs/tutorial.test.ts', "curl('/orders', "],
  },
  'curl -i http://127.0.0.1:8000/orders': { in: ['test/docs/tutorial.test.ts', "curl('/orders')"] },
  'dsconfig create-sideband-api-shared-secret --secret-name Kong --set shared-secret:SECRET': {
    because: 'needs a PingAuthorize',
  },
  'dsconfig set-http-servlet-extension-prop --extension-name "Sideband API" --add shared-secrets:Kong': {
    because: 'needs a PingAuthorize',
  },
};

/** What each command that is run here must print. A log is explained further down, where there is one. */
const RUN: Record<string, RegExp> = {
  'install -m 755 dist/bin/ping-auth-pluginserver.mjs /usr/local/bin/ping-auth-pluginserver': /^$/,
  'install -m 755 dist/bin/ping-auth.mjs /usr/local/bin/ping-auth': /^$/,
  'ping-auth-pluginserver --dump > dump.json': /^$/,
  "env -i /bin/sh -c 'exec /usr/local/bin/ping-auth-pluginserver --dump'": /^\{.*"Protocol":"ProtoBuf:1"/,
  'ping-auth-pluginserver --version': /^\d+\.\d+\.\d+$/,
  'export PING_AUTH_SECRET=…': /^$/,
  'ping-auth check --service-url https://pingaccess.example.com:3020 --secret-env PING_AUTH_SECRET':
    /latency/,
  'ping-auth check --service-url https://pingaccess.example.com:3020 --secret-env PING_AUTH_SECRET --ca ca.pem --url https://api.example.com/orders':
    /latency/,
  'ping-auth check kong.yml': /service orders/,
  "ping-auth check kong.yml --url https://api.example.com/orders --method POST --header 'Authorization: Bearer …'":
    /service orders/,
  "ping-auth check kong.yml --where 'service orders' --url https://api.example.com/orders": /service orders/,
  'ping-auth check --name ping-auth-access kong.yml': /latency/,
  'ping-auth check --admin-url http://127.0.0.1:8001': /Kong runs this plugin/,
  'ping-auth check kong.yml --admin-url https://kong.internal:8444 --admin-ca admin-ca.pem --admin-token-env KONG_ADMIN_TOKEN':
    /Kong runs this plugin[\s\S]*service orders/,
  'ping-auth explain recording.json': /access: permitted, 2 changes: header:x-user, -header:x-debug/,
  "ping-auth test cases.yaml --config kong.yml --where 'service orders'": /4 cases: 4 passed/,
  'ping-auth test cases.yaml --service-url https://pingaccess.example.com:3020 --secret-env PING_AUTH_SECRET':
    /4 cases: 4 passed/,
  'ping-auth replay /var/log/ping-auth/exchanges.jsonl --service-url https://pingauthorize.example.com:8443 --secret-env PING_AUTH_SECRET':
    /1 decisions are the same, 0 differ/,
};
const EXPLAIN_LOG = 'ping-auth explain /var/log/ping-auth/ping-auth.log --request-id 9c5c1b47';

/** Campaigns and benches: minutes each, so tests run short ones of the same code; see test/fuzz, dev/faults, dev/soak, test/bench. */
const LONG =
  /^(?:[A-Z_]+=\S+ )*(?:npm run (?:fuzz|faults|soak|bench(?::[a-z-]+)?)(?: -- .*)?|npx vitest run (?:(?:src|test)\/\S+ ?)+)$/;

const COMMAND =
  /^(?:npm|npx|node|docker|docker-compose|promtool|systemd-analyze|kong|curl|ping-auth|ping-auth-pluginserver) \S/;
const documented = new Set([
  ...snippets
    .filter(({ language, text }) => language === 'sh' || text.startsWith('dsconfig'))
    .flatMap(({ text }) => text.trim().split('\n'))
    .map((line) => line.replace(/\s+# .*/, '')),
  ...inlineCode.map(({ text }) => text).filter((text) => COMMAND.test(text)),
]);
/** The name of a command, without arguments, is a mention. */
for (const mention of [
  'check',
  'check --admin-url',
  'check --mcp',
  'check --mcp URL',
  'explain',
  'inspect',
  'test',
  'replay',
  'shadow',
].map((name) => `ping-auth ${name}`))
  documented.delete(mention);
/** So is one with a placeholder. */
for (const command of documented)
  if (/ (?:LOG|CASES|RECORDING|X\.Y\.Z)\b| …$/.test(command)) documented.delete(command);

/** With these the policy decides what docs/policy-tests.md expects. */
const RULES: readonly RuleInput[] = [
  {
    name: 'who are you',
    match: { phase: 'request', path: '/orders', method: ['POST', 'DELETE'], header: { authorization: null } },
    deny: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } },
  },
  {
    name: 'orders are cleaned up',
    match: { phase: 'request', path: '/orders', method: 'POST', header: { 'x-debug': '*' } },
    change: { headers: { set: { 'x-user': 'joe' }, remove: ['x-debug'] }, strip: ['discount'] },
    state: 1,
  },
  {
    name: 'costs stay inside',
    match: { phase: 'response', state: 1 },
    rewrite: { strip: ['cost'] },
  },
];

/** A line of a recording. */
const GET_ORDERS = {
  ...{
    method: 'GET',
    url: 'https://api.example.com:443/orders',
    headers: [{ host: 'api.example.com' }],
    body: '',
  },
};
const EXCHANGE = {
  ...{ event: 'sideband', phase: 'access', request_id: '1', provider: 'https://pingaccess.example.com' },
  payload: { source_ip: '192.0.2.1', source_port: 1, http_version: '1.1', ...GET_ORDERS },
  answer: GET_ORDERS,
};

const SECRET = 'secret-of-the-documentation';
let folder: string;
let provider: PolicyProvider;
let upstreamUrl: string;
let adminUrls: { readonly plain: string; readonly tls: string };
const closing = new Closing();

/** What stands for the hosts and folders of the documentation on this machine. */
const here = (text: string) =>
  text
    .replaceAll('https://pingaccess.example.com:3020', provider.url)
    .replaceAll('https://pingauthorize.example.com:8443', provider.url)
    .replaceAll('http://orders.internal:8080', upstreamUrl)
    .replaceAll('http://127.0.0.1:8001', adminUrls.plain)
    .replaceAll('https://kong.internal:8444', adminUrls.tls)
    .replaceAll('/usr/local/bin', join(folder, 'bin'))
    .replaceAll('/run/ping-auth', join(folder, 'run'))
    .replaceAll('/var/log/ping-auth', join(folder, 'log'))
    .replaceAll('…', SECRET);

/** Runs a command and gives what it printed. @throws Error when it fails */
async function shell(command: string): Promise<string> {
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', here(command)], { cwd: folder, env });
  return stdout.trim();
}

beforeAll(async () => {
  folder = closing.folder('pa-docs-');
  provider = await startPolicyProvider({ secret: SECRET, rules: RULES });
  closing.add(() => provider.close());
  const upstream = await startUpstream();
  closing.add(() => upstream.close());
  upstreamUrl = upstream.url;
  // The double's authority is trusted as a public one would be, so that configurations stay as they are.
  writeFileSync(join(folder, 'ca.pem'), provider.ca);
  vi.stubEnv('NODE_EXTRA_CA_CERTS', join(folder, 'ca.pem'));
  vi.stubEnv('PING_AUTH_SECRET', SECRET);
  const authority = await createAuthority();
  writeFileSync(join(folder, 'admin-ca.pem'), authority.cert);
  vi.stubEnv('KONG_ADMIN_TOKEN', SECRET);
  const tls = await authority.issueServer(['localhost']);
  adminUrls = {
    plain: await fakeAdminApi({}, closing),
    tls: await fakeAdminApi({ tls, token: SECRET }, closing),
  };

  for (const name of ['bin', 'run', 'log', 'dist/bin']) mkdirSync(join(folder, name), { recursive: true });
  const built = dirname(await builtPluginServer());
  for (const name of ['ping-auth-pluginserver.mjs', 'ping-auth.mjs'])
    copyFileSync(join(built, name), join(folder, 'dist/bin', name));
  // kong.yml of this folder: what the pages tell readers to write.
  const streaming = snippet('docs/streaming.md', 'yaml');
  writeFileSync(
    join(folder, 'kong.yml'),
    here(`${snippet('docs/getting-started.md', 'yaml')}\n${streaming}`),
  );
  writeFileSync(join(folder, 'recording.json'), snippet('docs/check.md', 'json'));
  writeFileSync(join(folder, 'cases.yaml'), snippet('docs/policy-tests.md', 'yaml', 'cases:'));
  writeFileSync(join(folder, 'log/exchanges.jsonl'), JSON.stringify(EXCHANGE));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await closing.close();
});

it('every command of the documentation is known, and nothing else', () => {
  const short = [...documented].filter((command) => !LONG.test(command));
  const known = [...Object.keys(NOT_RUN), ...Object.keys(RUN), EXPLAIN_LOG];
  expect({
    unknown: short.filter((command) => !known.includes(command)),
    notDocumented: known.filter((command) => !short.includes(command)),
  }).toEqual({ unknown: [], notDocumented: [] });
});

it('names tests that are there', () => {
  const named = [...documented].flatMap((command) => [...command.matchAll(/(?<= )(?:src|test)\/[\w./-]+/g)]);
  expect(named.length).toBeGreaterThan(5);
  for (const [path] of named) expect(existsSync(join(root, path)), path).toBe(true);
});

it('names scripts of package.json', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: object };
  for (const command of documented) {
    for (const [, name = ''] of command.matchAll(/\bnpm run ([\w:-]+)/g))
      expect(Object.keys(scripts)).toContain(name);
  }
});

it.each(Object.entries(NOT_RUN))('%s is run elsewhere, or there is a reason', (_, { in: place, because }) => {
  if (place === undefined) expect(because).toBeTruthy();
  else expect(read(place[0])).toContain(place[1]);
});

describe('commands', () => {
  it.each(Object.entries(RUN))('%s', async (command, output) => {
    expect(await shell(command)).toMatch(output);
  });

  it('have dumped what Kong wants', () => {
    expect(JSON.parse(readFileSync(join(folder, 'dump.json'), 'utf8'))).toMatchObject({
      Protocol: 'ProtoBuf:1',
    });
  });
});

/** For pages that show plugins alone. */
const ROUTES = `_format_version: "3.0"
services:
  - name: orders
    url: http://orders.internal:8080
    routes: [{ name: events, paths: [/events] }, { name: free, paths: [/free] }]
`;

describe('the blocks for kong.conf', () => {
  const readme = () => parseKongConf(snippet('README.md', 'ini'));

  it('are the lines of kong/kong.conf', () => {
    expect(readme()).toEqual(parseKongConf(read('kong/kong.conf')));
    expect(parseKongConf(snippet('docs/getting-started.md', 'ini'))).toEqual(readme());
  });

  it('make Kong ask for client certificates', () => {
    for (const { text } of snippets.filter(
      ({ path, language }) => path === 'docs/mtls.md' && language === 'ini',
    ))
      expect(readSettings(parseKongConf(text)).askClientCertificate).toBe(true);
  });

  it('run the plugin with the configurations of getting-started.md and README.md; its log can be explained', async () => {
    const config = snippet('docs/getting-started.md', 'yaml');
    const debug = config.replace(/( +)service_url:.*\n/, '$&$1enable_debug_logging: true\n');
    const kong = await start(readme(), debug, '--log-file /var/log/ping-auth/ping-auth.log');
    const { status } = await sendRequest(`http://127.0.0.1:${kong.proxyPort}`, { path: '/orders' });
    expect(status).toBe(200);
    const log = join(folder, 'log/ping-auth.log');
    await vi.waitFor(() => expect(readFileSync(log, 'utf8')).toContain('"phase":"response","decision"'));
    const [, id = ''] = /"request_id":"(\w+)"/.exec(readFileSync(log, 'utf8')) ?? [];
    expect(await shell(EXPLAIN_LOG.replace('9c5c1b47', id))).toMatch(/access: permitted/);

    kong.reload(here(ROUTES + snippet('README.md', 'yaml')));
    expect(await phasesAsked(kong, '/free')).toEqual(['request', 'response']);
  });

  it('run the plugin of streaming.md beside the other', async () => {
    const conf = { ...readme(), ...parseKongConf(snippet('docs/streaming.md', 'ini')) };
    const kong = await start(conf, ROUTES + snippet('docs/streaming.md', 'yaml'));
    expect(kong.plugins.map(({ name }) => name).sort()).toEqual(['ping-auth', 'ping-auth-access']);
    expect(await phasesAsked(kong, '/events')).toEqual(['request']);
    expect(await phasesAsked(kong, '/free')).toEqual([]);
  });
});

/** What the policy provider is asked about a request that is let through. */
async function phasesAsked(kong: RunningKong, path: string): Promise<unknown[]> {
  const before = provider.requests.length;
  expect((await sendRequest(`http://127.0.0.1:${kong.proxyPort}`, { path })).status).toBe(200);
  return provider.requests.slice(before).map(({ phase }) => phase);
}

/** The double of Kong with a block for kong.conf; it is stopped at the end. */
async function start(conf: KongConf, config: string, more = ''): Promise<RunningKong> {
  // Kong gives the plugin server no environment, as the double does; but here it must trust the provider's authority.
  const trusting = `env NODE_EXTRA_CA_CERTS=${join(folder, 'ca.pem')} PATH=${process.env.PATH}`;
  const own = Object.entries(conf).map(([name, value]) => [
    name,
    here(name.endsWith('_start_cmd') ? `${trusting} ${value}` : String(value)),
  ]);
  const settings: KongConf = { proxy_listen: '127.0.0.1:0', prefix: folder, ...Object.fromEntries(own) };
  const kong = await startKong({
    conf: {
      ...settings,
      pluginserver_ping_auth_server_start_cmd:
        `${settings.pluginserver_ping_auth_server_start_cmd} ${here(more)}`.trim(),
    },
    declarativeConfig: here(config),
  });
  closing.add(() => kong.stop());
  return kong;
}
