import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { PbProbe, type ScriptOf } from '../../test/conformance/pb-probe.js';
import { until } from '../../test/support/until.js';
import { ConnectionPool } from './rpc/plugin-client.js';
import { type RunningKong, startKong } from './start-kong.js';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: Record<string, unknown>;
  body: string;
}

async function upstream(): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(parts).toString() });
      response.setHeader('X-Up', '1');
      response.end('hello');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function kongWith(
  script: ScriptOf,
  url: string,
  phases = ['access', 'response'],
): Promise<{ kong: RunningKong; probe: PbProbe }> {
  const folder = mkdtempSync(join(tmpdir(), 'kong-test-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  const probe = new PbProbe(script);
  await probe.listen(join(folder, 'p.sock'));
  cleanUps.push(() => probe.close());
  const plugin = { Name: 'probe', Version: '1.0.0', Priority: 1, Phases: phases, Schema: {} };
  writeFileSync(join(folder, 'dump.json'), JSON.stringify({ Protocol: 'ProtoBuf:1', Plugins: [plugin] }));
  const kong = await startKong({
    conf: {
      prefix: folder,
      pluginserver_names: 'probe',
      pluginserver_probe_socket: join(folder, 'p.sock'),
      pluginserver_probe_query_cmd: `cat ${join(folder, 'dump.json')}`,
    },
    declarativeConfig: {
      _format_version: '3.0',
      services: [
        {
          name: 's',
          url,
          routes: [{ name: 'r', paths: ['/'], strip_path: false, plugins: [{ name: 'probe' }] }],
        },
      ],
    },
  });
  cleanUps.push(() => kong.stop());
  return { kong, probe };
}

test('a request goes through access, the upstream and response', async () => {
  const { url, seen } = await upstream();
  const { kong } = await kongWith(
    (_config, phase) =>
      phase === 'access'
        ? [
            ['kong.service.request.set_header', 'X-Added', 'by plugin'],
            ['kong.service.request.set_raw_body', 'new body'],
          ]
        : [['kong.response.set_header', 'X-Filtered', 'yes']],
    url,
  );
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/a%20b?x=1`, { method: 'POST', body: 'old' });
  expect(answer.status).toBe(200);
  expect(await answer.text()).toBe('hello');
  expect(answer.headers.get('x-up')).toBe('1');
  expect(answer.headers.get('x-filtered')).toBe('yes');
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ method: 'POST', url: '/a%20b?x=1', body: 'new body' });
  expect(seen[0]?.headers).toMatchObject({ 'x-added': 'by plugin', 'content-length': '8' });
});

test('an exit in access ends the request before the upstream', async () => {
  const { url, seen } = await upstream();
  const { kong } = await kongWith(() => [['kong.response.exit', 403, 'no', { 'X-Why': 'policy' }]], url);
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/`);
  expect(answer.status).toBe(403);
  expect(answer.headers.get('x-why')).toBe('policy');
  expect(await answer.text()).toBe('no');
  expect(seen).toEqual([]);
});

test('a plugin server that is not there gives 500 and nothing reaches the upstream', async () => {
  const { url, seen } = await upstream();
  const { kong, probe } = await kongWith(() => [], url);
  probe.close();
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/`);
  expect(answer.status).toBe(500);
  expect(await answer.json()).toMatchObject({ message: 'An unexpected error occurred' });
  expect(seen).toEqual([]);
});

const DUMP = JSON.stringify({
  Protocol: 'ProtoBuf:1',
  Plugins: [{ Name: 'probe', Version: '1.0.0', Priority: 1, Phases: ['access'], Schema: {} }],
});

/** A folder with a program `probe` in the place of /usr/local/bin: it prints the dump, or notes that it was started. */
function folderWithProgram(): { folder: string; bin: string; starts: () => string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'kong-test-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const notes = join(folder, 'starts');
  const program = `#!/bin/sh\n[ "$1" = -dump ] && echo '${DUMP}' && exit\n/usr/bin/env >> ${notes}\necho --- >> ${notes}\nexit 2\n`;
  writeFileSync(join(bin, 'probe'), program, { mode: 0o755 });
  const starts = () => (existsSync(notes) ? readFileSync(notes, 'utf8').split('---\n').slice(0, -1) : []);
  return { folder, bin, starts };
}

test('without commands the program of that name is run, again and again, in an empty environment', async () => {
  const { folder, bin, starts } = folderWithProgram();
  const kong = await startKong({
    conf: {
      prefix: folder,
      pluginserver_names: 'probe',
      standin_program_folder: bin,
      standin_start_wait: '0s',
    },
  });
  cleanUps.push(() => kong.stop());
  await until('it was started twice', () => starts().length >= 2);
  expect(kong.plugins.map(({ name }) => name)).toEqual(['probe']);
  const variables = starts()[0]
    ?.split('\n')
    .map((line) => line.split('=')[0]);
  // PWD is nginx's, the shell has its own, and Node.js hands the last one to every child when coverage is collected.
  expect(
    variables?.filter(
      (name) => !['', 'PWD', 'OLDPWD', 'SHLVL', '_', 'NODE_V8_COVERAGE'].includes(name ?? ''),
    ),
  ).toEqual([]);
});

test('without a start command and such a program, somebody else runs the server', async () => {
  const { folder, bin } = folderWithProgram();
  rmSync(join(bin, 'probe'));
  const conf = { prefix: folder, pluginserver_names: 'probe', standin_program_folder: bin };
  await expect(startKong({ conf })).rejects.toThrow('query_command undefined for pluginserver probe');
  writeFileSync(join(folder, 'dump'), DUMP);
  const kong = await startKong({ conf: { ...conf, pluginserver_probe_query_cmd: `cat ${folder}/dump` } });
  cleanUps.push(() => kong.stop());
  expect(kong.log.text()).toContain('assuming external process management');
  expect(kong.pid('probe')).toBeUndefined();
});

test('of more connections than the pool holds, the one that waited longest is closed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kong-test-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  const server = createSocketServer((socket) => socket.resume()).listen(join(folder, 's'));
  await once(server, 'listening');
  cleanUps.push(() => server.close());
  const pool = new ConnectionPool(join(folder, 's'), 2);
  cleanUps.push(() => pool.destroy());
  const [first, ...others] = [await pool.take(), await pool.take(), await pool.take()];
  if (first === undefined) throw new Error('no connection');
  for (const connection of [first, ...others]) pool.give(connection);
  expect(first.socket.destroyed).toBe(true);
  await until('it is forgotten', () => pool.size === 2);
  expect([await pool.take(), await pool.take()]).toEqual(others.reverse());
});

/** Listens with a queue of one and never accepts. */
const FULL = `require('net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
  process.stdout.write('ready'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); });`;

test('a full queue of the socket refuses the connection', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kong-test-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  const child = spawn(process.execPath, ['-e', FULL, join(folder, 's')]);
  cleanUps.push(() => child.kill('SIGKILL'));
  // Not when the file is there: that is a moment before.
  await once(child.stdout, 'data');
  const pool = new ConnectionPool(join(folder, 's'));
  cleanUps.push(() => pool.destroy());
  await expect(Promise.all(Array.from({ length: 9 }, () => pool.take()))).rejects.toThrow(
    'resource temporarily unavailable',
  );
});
