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
import type { Script } from '../../../test/conformance/recordings.js';
import { type RunningKong, startKong } from '../start-kong.js';

/** A stock kong-js-pluginserver that dies or freezes: open without the guard, 503 with it. */

const GUARD = parse(readFileSync(new URL('../../../kong/guard/kong.yml', import.meta.url), 'utf8'));

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

async function landscape(guard: boolean, script: Script = MARKS): Promise<Landscape> {
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
    conf: { prefix: folder, nginx_http_lua_socket_read_timeout: '300ms', ...servers },
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
  const { server, get, upstream } = await landscape(true);
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
