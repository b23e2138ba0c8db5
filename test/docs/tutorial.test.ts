// docs/getting-started.md, followed to its end: the executables, the kong.conf and the kong.yml of the page, the development policy
// provider and upstream as processes, and the curl commands. Only ports and folders differ from the page.
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { type ClientResponse, sendRequest } from '../../dev/http-client.js';
import { type KongConf, parseKongConf } from '../../dev/kong/config/kong-conf.js';
import { type RunningKong, startKong } from '../../dev/kong/start-kong.js';
import { freePort } from '../../dev/listen.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { root, snippet } from './pages.js';

const closing = new Closing();
const SECRET = 'only-for-development';
let folder: string;
let kong: RunningKong;

const curl = (path: string, ...headers: (readonly [string, string])[]): Promise<ClientResponse> =>
  sendRequest(`http://127.0.0.1:${kong.proxyPort}`, { path, headers });

beforeAll(async () => {
  folder = closing.folder('pa-tutorial-');
  for (const name of ['bin', 'run', 'log']) mkdirSync(join(folder, name));
  const built = dirname(await builtPluginServer());
  for (const name of ['ping-auth-pluginserver', 'ping-auth'])
    copyFileSync(join(built, `${name}.mjs`), join(folder, 'bin', name));

  const [providerPort, upstreamPort] = [await freePort(), await freePort()];
  const ca = join(folder, 'ca.pem');
  start(
    'dev/policy-provider/main.ts',
    `--port=${providerPort}`,
    '--rules=kong/compose/rules.yaml',
    `--ca-out=${ca}`,
    '--secret-env=PING_AUTH_SECRET',
  );
  start('dev/upstream/main.ts', `--port=${upstreamPort}`);
  await vi.waitFor(
    () => expect(existsSync(ca) && readFileSync(ca, 'utf8').includes('-----END CERTIFICATE-----')).toBe(true),
    30_000,
  );

  const here = (text: string) =>
    text
      .replaceAll('/usr/local/bin', join(folder, 'bin'))
      .replaceAll('/run/ping-auth', join(folder, 'run'))
      .replaceAll('/var/log/ping-auth', join(folder, 'log'))
      .replaceAll('https://pingaccess.example.com:3020', `https://localhost:${providerPort}`)
      .replaceAll('http://orders.internal:8080', `http://127.0.0.1:${upstreamPort}`);
  const pem = readFileSync(ca, 'utf8').trimEnd().replaceAll('\n', '\n            ');
  const config = here(snippet('docs/getting-started.md', 'yaml'))
    .replace(/# ca_certificate:.*/, `ca_certificate: |\n            ${pem}`)
    // "Give the route paths: [/shop] and strip_path: false"; /orders stays, for the page's own requests.
    .replace('paths: [/orders]', 'paths: [/shop, /orders]\n        strip_path: false');
  vi.stubEnv('PING_AUTH_SECRET', SECRET);
  const conf = parseKongConf(snippet('docs/getting-started.md', 'ini'));
  const settings: KongConf = {
    proxy_listen: '127.0.0.1:0',
    prefix: folder,
    ...Object.fromEntries(Object.entries(conf).map(([name, value]) => [name, here(String(value))])),
  };
  kong = await startKong({ conf: settings, declarativeConfig: config });
  closing.add(() => kong.stop());
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await closing.close();
});

it('ends with an allowed and a denied request', async () => {
  await vi.waitFor(async () => expect((await curl('/shop/hello')).status).toBe(200), 30_000);
  const denied = await curl('/shop/admin');
  expect([denied.status, denied.body.toString()]).toEqual([
    403,
    expect.stringContaining('Administrators only'),
  ]);
  expect((await curl('/orders', ['Authorization', 'Bearer x'])).status).toBe(200);
  expect((await curl('/orders')).status).toBe(200);
});

it('leaves the decisions in the log file', async () => {
  const log = join(folder, 'log/ping-auth.log');
  await vi.waitFor(() => expect(readFileSync(log, 'utf8')).toContain('"decision":"deny"'));
});

/** A program of dev/, as `npx tsx` starts it. */
function start(program: string, ...args: string[]): ChildProcess {
  const child = spawn(join(root, 'node_modules/.bin/tsx'), [program, ...args], {
    cwd: root,
    env: { ...process.env, PING_AUTH_SECRET: SECRET },
    stdio: 'ignore',
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  closing.add(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  return child;
}
