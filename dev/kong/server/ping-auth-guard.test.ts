import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MpProbeHost } from '../../../test/conformance/mp-probe-host.js';
import { PbProbeHost } from '../../../test/conformance/pb-probe-host.js';
import type { Script } from '../../../test/conformance/recordings.js';
import { type RunningKong, startKong } from '../start-kong.js';

/** The guards of kong/guard/, as the stand-in plays them: for the stock host, which fails open, and for our own server. */

const guard = (file: string) =>
  parse(readFileSync(new URL(`../../../kong/guard/${file}`, import.meta.url), 'utf8'));
const GUARD = guard('kong.yml');
const OWN_SERVER = guard('own-server.yml');

/** What ping-auth leaves in a request that it permits. */
const MARKS: Script = {
  access: [['kong.ctx.shared.set', 'ping_auth', 'memo']],
  response: [['kong.ctx.shared.set', 'ping_auth_response', '1']],
};

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Landscape {
  readonly kong: RunningKong;
  readonly server: ChildProcess;
  /** Requests the upstream has got. */
  readonly upstream: ServerResponse[];
  get(path?: string): Promise<Response>;
}

async function landscape(guard: boolean, script: Script = MARKS, callDeadline = '30s'): Promise<Landscape> {
  const folder = mkdtempSync(join(tmpdir(), 'guard-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  const upstream: ServerResponse[] = [];
  const web = createServer((request, response) => {
    upstream.push(response);
    response.setHeader('Set-Cookie', 'session=1');
    if (request.url !== '/slow') response.end('secret');
  });
  await once(web.listen(0, '127.0.0.1'), 'listening');
  cleanUps.push(() => {
    web.closeAllConnections();
    web.close();
  });
  const host = new MpProbeHost();
  const conf = await host.start(folder, [{ key: 'k', script }]);
  const { pluginserver_probe_a_start_cmd: command, ...servers } = conf;
  const server = spawn('/bin/sh', ['-c', `exec ${command}`], { stdio: 'ignore' });
  cleanUps.push(() => server.kill('SIGKILL'));
  await listening(join(folder, 'probe.sock'));
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const kong = await startKong({
    conf: { prefix: folder, nginx_http_lua_socket_read_timeout: callDeadline, ...servers },
    declarativeConfig: {
      _format_version: '3.0',
      services: [{ name: 's', url, routes: [{ name: 'r', paths: ['/'] }] }],
      plugins: [{ name: 'probe-ar', config: { key: 'k' } }, ...(guard ? GUARD.plugins : [])],
    },
  });
  cleanUps.push(() => kong.stop());
  const get = (path = '/') => fetch(`http://127.0.0.1:${kong.proxyPort}${path}`);
  return { kong, server, upstream, get };
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
  const { server, get, upstream } = await landscape(false);
  expect((await get()).status).toBe(200);
  await kill(server);
  const open = await get();
  expect(open.status).toBe(200);
  expect(await open.text()).toBe('secret');
  expect(upstream).toHaveLength(2);
});

test('with the guard, what ping-auth marked in both phases passes', async () => {
  const { get } = await landscape(true);
  const response = await get();
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('secret');
});

test('with the guard, nothing reaches the upstream once the server is killed', async () => {
  const { server, get, upstream } = await landscape(true);
  expect((await get()).status).toBe(200);
  await kill(server);
  await withheld(await get());
  expect(upstream).toHaveLength(1);
});

test('with the guard, a frozen server ends in 503', async () => {
  const { server, get, upstream } = await landscape(true, MARKS, '1s');
  expect((await get()).status).toBe(200);
  server.kill('SIGSTOP');
  await withheld(await get());
  expect(upstream).toHaveLength(1);
});

test('with the guard, an answer is withheld when the server dies while the upstream works', async () => {
  const { server, get, upstream } = await landscape(true);
  const pending = get('/slow');
  while (upstream.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await kill(server);
  upstream[0]?.end('secret');
  await withheld(await pending);
});

test('with the guard, a handler that never reached its end is refused', async () => {
  const { get, upstream } = await landscape(true, {});
  await withheld(await get());
  expect(upstream).toEqual([]);
});

test('the guard lets answers of Kong and of plugins pass', async () => {
  const { get } = await landscape(true, {
    access: [['kong.response.exit', 401, 'no', { 'X-From': 'plugin' }]],
  });
  const refused = await get();
  expect(refused.status).toBe(401);
  expect(refused.headers.get('x-from')).toBe('plugin');
});

test('the guard lets an exit in the response phase pass', async () => {
  const { get } = await landscape(true, { ...MARKS, response: [['kong.response.exit', 403, 'filtered']] });
  const filtered = await get();
  expect(filtered.status).toBe(403);
  expect(await filtered.text()).toBe('filtered');
});

test("with the guard, Kong's own 500 in the response phase has none of the upstream's headers", async () => {
  const { get, upstream } = await landscape(true, { ...MARKS, response: [['kong.response.set_status', 99]] });
  const response = await get();
  expect([response.status, response.headers.get('set-cookie')]).toEqual([500, null]);
  expect(await response.text()).not.toContain('secret');
  expect(upstream).toHaveLength(1);
});

/** A ProtoBuf:1 server that runs the script, and an upstream whose headers nobody may see unfiltered. */
async function ownServer(guarded: boolean, script: Script, upstreamStatus = 200): Promise<Response> {
  const folder = mkdtempSync(join(tmpdir(), 'guard-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  const web = createServer((_request, response) => {
    response.writeHead(upstreamStatus, { 'Set-Cookie': 'session=1', 'X-Internal': 'host-17' }).end('secret');
  });
  await once(web.listen(0, '127.0.0.1'), 'listening');
  cleanUps.push(() => {
    web.closeAllConnections();
    web.close();
  });
  const host = new PbProbeHost();
  const servers = await host.start(folder, [{ key: 'k', script }]);
  cleanUps.push(() => host.stop());
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const kong = await startKong({
    conf: { prefix: folder, ...servers },
    declarativeConfig: {
      _format_version: '3.0',
      services: [{ name: 's', url, routes: [{ name: 'r', paths: ['/'] }] }],
      plugins: [{ name: 'probe-ar', config: { key: 'k' } }, ...(guarded ? OWN_SERVER.plugins : [])],
    },
  });
  cleanUps.push(() => kong.stop());
  return fetch(`http://127.0.0.1:${kong.proxyPort}/`);
}

/** Ways to Kong's own 500 in the response phase: an exit of Kong's, and an error that nobody caught. */
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
