import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { PbProbe, type ScriptOf } from '../../test/conformance/pb-probe.js';
import { headersOf } from '../../test/support/seen.js';
import { until } from '../../test/support/until.js';
import { Closing } from '../closing.js';
import { startUpstream, type Upstream } from '../upstream/server.js';
import { kongYml, pluginServerConf, routedService } from './config/gateway-config.js';
import { ConnectionPool } from './rpc/plugin-client.js';
import { type RunningKong, startKong } from './start-kong.js';

const closing = new Closing();

afterEach(() => closing.close());

async function upstream(): Promise<Upstream> {
  const server = await startUpstream();
  closing.add(() => server.close());
  return server;
}

async function kongWith(
  script: ScriptOf,
  url: string,
  phases = ['access', 'response'],
): Promise<{ kong: RunningKong; probe: PbProbe }> {
  const folder = closing.folder('kong-test-');
  const probe = new PbProbe(script);
  await probe.listen(join(folder, 'p.sock'));
  closing.add(() => probe.close());
  const plugin = { Name: 'probe', Version: '1.0.0', Priority: 1, Phases: phases, Schema: {} };
  writeFileSync(join(folder, 'dump.json'), JSON.stringify({ Protocol: 'ProtoBuf:1', Plugins: [plugin] }));
  const query = `cat ${join(folder, 'dump.json')}`;
  const kong = await startKong({
    conf: { prefix: folder, ...pluginServerConf('probe', join(folder, 'p.sock'), { query }) },
    declarativeConfig: kongYml([routedService('s', url, [{ name: 'probe' }])]),
  });
  closing.add(() => kong.stop());
  return { kong, probe };
}

test('a request goes through access, the upstream and response', async () => {
  const { url, requests } = await upstream();
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
  expect(await answer.json()).toEqual(requests[0]);
  expect(answer.headers.get('x-upstream')).toBe('ping-auth development upstream');
  expect(answer.headers.get('x-filtered')).toBe('yes');
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({ method: 'POST', url: '/a%20b?x=1', bodyText: 'new body' });
  expect(headersOf(requests[0], 'x-added')).toEqual(['by plugin']);
  expect(headersOf(requests[0], 'content-length')).toEqual(['8']);
});

test('an exit in access ends the request before the upstream', async () => {
  const { url, requests } = await upstream();
  const { kong } = await kongWith(() => [['kong.response.exit', 403, 'no', { 'X-Why': 'policy' }]], url);
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/`);
  expect(answer.status).toBe(403);
  expect(answer.headers.get('x-why')).toBe('policy');
  expect(await answer.text()).toBe('no');
  expect(requests).toEqual([]);
});

test('a plugin server that is not there gives 500 and nothing reaches the upstream', async () => {
  const { url, requests } = await upstream();
  const { kong, probe } = await kongWith(() => [], url);
  probe.close();
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/`);
  expect(answer.status).toBe(500);
  expect(await answer.json()).toMatchObject({ message: 'An unexpected error occurred' });
  expect(requests).toEqual([]);
});

const DUMP = JSON.stringify({
  Protocol: 'ProtoBuf:1',
  Plugins: [{ Name: 'probe', Version: '1.0.0', Priority: 1, Phases: ['access'], Schema: {} }],
});

/** A folder with a program `probe` in place of /usr/local/bin: it prints the dump, or notes that it was started. */
function folderWithProgram(): { folder: string; bin: string; starts: () => string[] } {
  const folder = closing.folder('kong-test-');
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
  closing.add(() => kong.stop());
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
  closing.add(() => kong.stop());
  expect(kong.log.text()).toContain('assuming external process management');
  expect(kong.pid('probe')).toBeUndefined();
});

test('of more connections than the pool holds, the one that waited longest is closed', async () => {
  const folder = closing.folder('kong-test-');
  const server = createServer((socket) => socket.resume()).listen(join(folder, 's'));
  await once(server, 'listening');
  closing.add(() => server.close());
  const pool = new ConnectionPool(join(folder, 's'), 2);
  closing.add(() => pool.destroy());
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
  const folder = closing.folder('kong-test-');
  const child = spawn(process.execPath, ['-e', FULL, join(folder, 's')]);
  closing.add(() => child.kill('SIGKILL'));
  // Not when the file is there: that is a moment before.
  await once(child.stdout, 'data');
  const pool = new ConnectionPool(join(folder, 's'));
  closing.add(() => pool.destroy());
  await expect(Promise.all(Array.from({ length: 9 }, () => pool.take()))).rejects.toThrow(
    'resource temporarily unavailable',
  );
});
