// The single executables: no Node, no bundle and no environment around them.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/version.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { type Rig, startRig } from '../support/rig.js';

const script = fileURLToPath(new URL('../../scripts/build-sea.mjs', import.meta.url));
let folder: string;
let pluginServer: string;

const run = (name: string, ...args: string[]) =>
  spawnSync(join(folder, name), args, { cwd: folder, env: { SECRET: 'of-the-check' }, encoding: 'utf8' });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-single-test-'));
  pluginServer = join(folder, 'ping-auth-pluginserver');
  execFileSync(process.execPath, [script, `--out=${folder}`], { stdio: ['ignore', 'ignore', 'inherit'] });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('say their version, and nothing of an experiment', () => {
  for (const name of ['ping-auth-pluginserver', 'ping-auth'])
    expect(run(name, '--version')).toMatchObject({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
});

it('dump what the bundle dumps', async () => {
  const bundle = execFileSync(process.execPath, [await builtPluginServer(), '--dump'], { encoding: 'utf8' });
  expect(run('ping-auth-pluginserver', '--dump')).toMatchObject({ status: 0, stdout: bundle, stderr: '' });
});

it('run where an init container copied them, in a folder that is only read (kong/kubernetes/Dockerfile)', () => {
  const dockerfile = readFileSync(new URL('../../kong/kubernetes/Dockerfile', import.meta.url), 'utf8');
  const command = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  const volume = mkdtempSync(join(folder, 'volume-'));
  const [program = '', ...args] = command.map((word) =>
    word.replace('/opt/ping-auth/', `${volume}/`).replace(/^\/ping-auth\//, `${folder}/`),
  );
  execFileSync(program, args);
  chmodSync(volume, 0o555);
  for (const name of ['ping-auth-pluginserver', 'ping-auth']) {
    const { status, stdout } = spawnSync('/bin/sh', ['-c', `exec ${join(volume, name)} --version`], {
      env: {},
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${VERSION}\n` });
  }
});

it('check a connection that is not there', () => {
  const { status, stdout } = run(
    'ping-auth',
    'check',
    '--service-url',
    'https://127.0.0.1:1',
    '--secret-env',
    'SECRET',
  );
  expect(status).toBe(1);
  expect(stdout).toContain('https://127.0.0.1:1');
});

describe.each([1, 2])('the plugin server with %i workers', (workers) => {
  let rig: Rig;
  beforeAll(async () => {
    const socket = join(folder, `${workers}.sock`);
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      rules: [{ name: 'no entry', match: { phase: 'request', path: '/admin' }, deny: { status: 403 } }],
      kong: {
        pluginserver_ping_auth_socket: socket,
        pluginserver_ping_auth_start_cmd: `${pluginServer} --socket ${socket} --workers ${workers}`,
        pluginserver_ping_auth_query_cmd: `${pluginServer} --dump`,
      },
    });
  });
  afterAll(() => rig?.close());

  it('serves Kong', async () => {
    expect((await rig.send({ path: '/orders' })).status).toBe(200);
    expect((await rig.send({ path: '/admin' })).status).toBe(403);
    expect(rig.upstreamRequests()).toHaveLength(1);
  });

  it('runs as the executable and nothing else', () => {
    const own = rig.pluginServer.pid();
    const children = processes().filter(({ parent }) => parent === own);
    expect(children).toHaveLength(workers === 1 ? 0 : workers);
    for (const { command } of children) expect(command).toBe(pluginServer);
  });
});

function processes(): { parent: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        // "pid (name) state parent …"; a name may hold anything.
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const [command = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return [{ parent: Number(parent), command }];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}
