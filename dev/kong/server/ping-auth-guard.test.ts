import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MpProbeHost } from '../../../test/conformance/mp-probe-host.js';
import { PbProbeHost } from '../../../test/conformance/pb-probe-host.js';
import type { Script } from '../../../test/conformance/recordings.js';
import { Closing } from '../../closing.js';
import { listen } from '../../listen.js';
import { kongYml, routedService } from '../config/gateway-config.js';
import type { KongConf } from '../config/kong-conf.js';
import { startKong } from '../start-kong.js';

/** The guards of kong/guard/, as the stand-in plays them: for the stock host, which fails open, and for our own server. */

const guard = (file: string) =>
  parse(readFileSync(new URL(`../../../kong/guard/${file}`, import.meta.url), 'utf8'));
const GUARD = guard('kong.yml');
const OWN_SERVER = guard('own-server.yml');

/** What ping-auth leaves in a request that it permits. */
const MARKS: Script = {
  access: [['kong.ctx.shared.set', 'ping_auth', 'context']],
  response: [['kong.ctx.shared.set', 'ping_auth_response', '1']],
};

const closing = new Closing();
afterEach(() => closing.close());

interface StockServer {
  readonly server: ChildProcess;
  /** Requests the upstream has got. */
  readonly upstream: ServerResponse[];
  get(path?: string): Promise<Response>;
}

/** Kong with the probe in the stock server. */
async function stockServer(
  guarded: boolean,
  script: Script = MARKS,
  callDeadline = '30s',
): Promise<StockServer> {
  const folder = closing.folder('guard-');
  const upstream: ServerResponse[] = [];
  const host = new MpProbeHost();
  const conf = await host.start(folder, [{ key: 'k', script }]);
  const { pluginserver_probe_a_start_cmd: command, ...servers } = conf;
  const server = spawn('/bin/sh', ['-c', `exec ${command}`], { stdio: 'ignore' });
  closing.add(() => server.kill('SIGKILL'));
  await listening(join(folder, 'probe.sock'));
  const get = await kongBefore(
    (request, response) => {
      upstream.push(response);
      response.setHeader('Set-Cookie', 'session=1');
      if (request.url !== '/slow') response.end('secret');
    },
    { prefix: folder, nginx_http_lua_socket_read_timeout: callDeadline, ...servers },
    guarded ? GUARD.plugins : [],
  );
  return { server, upstream, get };
}

/** Starts an upstream and Kong before it. */
async function kongBefore(
  upstream: RequestListener,
  conf: KongConf,
  guard: readonly { name: string }[],
): Promise<(path?: string) => Promise<Response>> {
  const web = createServer(upstream);
  const service = routedService('s', `http://127.0.0.1:${await listen(web)}`);
  closing.add(() => {
    web.closeAllConnections();
    web.close();
  });
  const plugins = [{ name: 'probe-ar', config: { key: 'k' } }, ...guard];
  const kong = await startKong({ conf, declarativeConfig: kongYml([service], plugins) });
  closing.add(() => kong.stop());
  return (path = '/') => fetch(`http://127.0.0.1:${kong.proxyPort}${path}`);
}

async function listening(path: string): Promise<void> {
  for (;;) {
    const socket = connect(path);
    const open = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error')]).catch(
      () => undefined,
    );
    socket.destroy();
    if (open === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function kill(server: ChildProcess): Promise<void> {
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

async function withheld(response: Response): Promise<void> {
  expect(response.status).toBe(503);
  expect(response.headers.get('set-cookie')).toBeNull();
  expect(await response.json()).toEqual({ message: 'The service is unavailable' });
}

test('a killed stock server lets everything pass without the guard', async () => {
  const { server, get, upstream } = await stockServer(false);
  expect((await get()).status).toBe(200);
  await kill(server);
  const open = await get();
  expect(open.status).toBe(200);
  expect(await open.text()).toBe('secret');
  expect(upstream).toHaveLength(2);
});

test('with the guard, what ping-auth marked in both phases passes', async () => {
  const { get } = await stockServer(true);
  const response = await get();
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('secret');
});

test('with the guard, nothing reaches the upstream once the server is killed', async () => {
  const { server, get, upstream } = await stockServer(true);
  expect((await get()).status).toBe(200);
  await kill(server);
  await withheld(await get());
  expect(upstream).toHaveLength(1);
});

test('with the guard, a frozen server ends in 503', async () => {
  const { server, get, upstream } = await stockServer(true, MARKS, '1s');
  expect((await get()).status).toBe(200);
  server.kill('SIGSTOP');
  await withheld(await get());
  expect(upstream).toHaveLength(1);
});

test('with the guard, an answer is withheld when the server dies while the upstream works', async () => {
  const { server, get, upstream } = await stockServer(true);
  const pending = get('/slow');
  while (upstream.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await kill(server);
  upstream[0]?.end('secret');
  await withheld(await pending);
});

test('with the guard, a handler that never reached its end is refused', async () => {
  const { get, upstream } = await stockServer(true, {});
  await withheld(await get());
  expect(upstream).toEqual([]);
});

test('the guard lets answers of Kong and of plugins pass', async () => {
  const { get } = await stockServer(true, {
    access: [['kong.response.exit', 401, 'no', { 'X-From': 'plugin' }]],
  });
  const refused = await get();
  expect(refused.status).toBe(401);
  expect(refused.headers.get('x-from')).toBe('plugin');
});

test('the guard lets an exit in the response phase pass', async () => {
  const { get } = await stockServer(true, { ...MARKS, response: [['kong.response.exit', 403, 'filtered']] });
  const filtered = await get();
  expect(filtered.status).toBe(403);
  expect(await filtered.text()).toBe('filtered');
});

test("with the guard, Kong's own 500 in the response phase has none of the upstream's headers", async () => {
  const { get, upstream } = await stockServer(true, {
    ...MARKS,
    response: [['kong.response.set_status', 99]],
  });
  const response = await get();
  expect([response.status, response.headers.get('set-cookie')]).toEqual([500, null]);
  expect(await response.text()).not.toContain('secret');
  expect(upstream).toHaveLength(1);
});

/** A ProtoBuf:1 server that runs the script, and an upstream whose headers must not be seen unfiltered. */
async function ownServer(guarded: boolean, script: Script, upstreamStatus = 200): Promise<Response> {
  const folder = closing.folder('guard-');
  const host = new PbProbeHost();
  const servers = await host.start(folder, [{ key: 'k', script }]);
  closing.add(() => host.stop());
  const get = await kongBefore(
    (_request, response) =>
      response
        .writeHead(upstreamStatus, { 'Set-Cookie': 'session=1', 'X-Internal': 'host-17' })
        .end('secret'),
    { prefix: folder, ...servers },
    guarded ? OWN_SERVER.plugins : [],
  );
  return get();
}

/** Ways to Kong's own 500 in the response phase: an exit of Kong's, and an error that was not caught. */
const FAILURES: readonly (readonly [string, Script])[] = [
  ['a call that Kong does not know', { ...MARKS, response: [['kong.no.such']] }],
  ['a call that raises an error', { ...MARKS, response: [['kong.response.set_status', 99]] }],
];

test.each(FAILURES)(
  "Kong's own 500 carries the upstream's headers without a guard: %s",
  async (_, script) => {
    const response = await ownServer(false, script);
    expect([response.status, response.headers.get('set-cookie')]).toEqual([500, 'session=1']);
    expect(await response.text()).not.toContain('secret');
  },
);

test.each(FAILURES)('and with the guard for our own server none of them: %s', async (_, script) => {
  const response = await ownServer(true, script);
  expect(response.status).toBe(500);
  expect(response.headers.get('set-cookie')).toBeNull();
  expect(response.headers.get('x-internal')).toBeNull();
  expect(await response.text()).toContain('An unexpected error occurred');
});

test('a 500 that ping-auth marked keeps the headers it was given, and so does one of the upstream', async () => {
  const meant: Script = {
    ...MARKS,
    response: [
      ['kong.ctx.shared.set', 'ping_auth_exit', '1'],
      ['kong.response.exit', 500, 'filtered', { 'X-Policy': 'says' }],
    ],
  };
  expect((await ownServer(true, meant)).headers.get('x-policy')).toBe('says');
  expect((await ownServer(true, MARKS, 500)).headers.get('x-internal')).toBe('host-17');
});

test('without the mark of an exit the guard strips a 500 of the plugin, too', async () => {
  const unmarked: Script = { ...MARKS, response: [['kong.response.exit', 500, 'x', { 'X-Policy': 'says' }]] };
  const response = await ownServer(true, unmarked);
  expect(response.headers.get('x-policy')).toBeNull();
  expect(response.headers.get('set-cookie')).toBeNull();
});
