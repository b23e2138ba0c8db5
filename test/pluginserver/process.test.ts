import { execFile, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { textMessage } from '../../dev/kong-connection/messages.js';
import { temporaryFolder } from './probe-server.js';
import { buildExecutable, removeExecutable, ServerProcess } from './server-process.js';

let executable: string;
beforeAll(async () => {
  executable = await buildExecutable();
});
afterAll(removeExecutable);

const run = (...options: string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [executable, ...options], { encoding: 'utf8' });
const socketPath = (): string => join(temporaryFolder(), 's');
/** Kong's answer to every read: what the probe plugin is told to do. */
const does = (what: string) => (): Uint8Array => textMessage(what);

test('--dump prints the JSON that Kong reads and nothing else', () => {
  const { stdout, stderr, status } = run('--dump');
  expect([status, stderr]).toEqual([0, '']);
  expect(JSON.parse(String(stdout))).toEqual({
    Protocol: 'ProtoBuf:1',
    Plugins: [
      {
        Name: 'probe',
        Version: '1.2.3',
        Priority: 7,
        Phases: ['access'],
        Schema: {
          name: 'probe',
          fields: [
            {
              protocols: {
                type: 'set',
                required: true,
                default: ['grpc', 'grpcs', 'http', 'https'],
                elements: { type: 'string', one_of: ['grpc', 'grpcs', 'http', 'https'] },
              },
            },
            { config: { type: 'record', fields: [] } },
          ],
        },
      },
    ],
  });
});

test('--version and --help', () => {
  expect(String(run('--version').stdout)).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(String(run('--help').stdout)).toContain('--socket <path>');
});

test('wrong options are refused with a reason', async () => {
  const cases: [string[], RegExp][] = [
    [[], /--socket PATH is missing/],
    [['--socket', 'x', '--grace', 'soon'], /a number of seconds/],
    [['--socket', 'x', '--max-events', '0'], /a whole number from 1/],
    [['--socket', 'x', '--workers', 'many'], /a whole number from 1/],
    [['--nonsense'], /unknown option/],
  ];
  const runs = cases.map(async ([options, reason]) => {
    const failure = await promisify(execFile)(process.execPath, [executable, ...options]).catch(
      (error) => error,
    );
    expect(failure.code).toBe(2);
    expect(failure.stderr).toMatch(reason);
  });
  await Promise.all(runs);
});

test('SIGTERM lets the event in flight end, then the process ends with 0 and takes its socket away', async () => {
  const server = new ServerProcess(executable, socketPath());
  await server.logged('started');
  const kong = await server.connect();
  const id = await kong.start('probe', { mark: 'm' });
  const event = kong.event(id, 'access', () => {
    server.child.kill('SIGTERM');
    return textMessage('wait');
  });
  expect(await event).toMatchObject({ end: 'returned', calls: [{}, {}] });
  expect(await server.ends()).toEqual([0, null]);
  expect(existsSync(server.socketPath)).toBe(false);
});

test('--grace bounds the end', async () => {
  const server = new ServerProcess(executable, socketPath(), '--grace', '0.05');
  await server.logged('started');
  const kong = await server.connect();
  const id = await kong.start('probe');
  const event = kong.event(id, 'access', () => {
    server.child.kill('SIGINT');
    return textMessage('hang');
  });
  expect(await server.ends()).toEqual([0, null]);
  expect((await event).end).toBe('closed');
});

test('a second server takes over by default, the first one ends without harm to it; --no-takeover refuses', async () => {
  const path = socketPath();
  const old = new ServerProcess(executable, path);
  await old.logged('started');
  const pooled = await old.connect();
  const id = await pooled.start('probe', { mark: 'old' });

  const polite = new ServerProcess(executable, path, '--no-takeover');
  expect(await polite.ends()).toEqual([1, null]);
  expect(polite.output).toContain('another server listens');

  const next = new ServerProcess(executable, path);
  await next.logged('started');
  expect((await pooled.event(id, 'access')).calls.at(-1)?.payload.toString()).toContain(
    `old:${old.child.pid}`,
  );
  const fresh = await next.connect();
  expect(await fresh.event(id, 'access')).toEqual({ end: 'closed', calls: [] });
  old.child.kill('SIGTERM');
  expect(await old.ends()).toEqual([0, null]);
  const again = await next.connect();
  const newId = await again.start('probe', { mark: 'new' });
  expect((await again.event(newId, 'access')).calls.at(-1)?.payload.toString()).toContain(
    `new:${next.child.pid}`,
  );
});

test('a server that cannot open its socket says why and ends with 1', async () => {
  const path = socketPath();
  writeFileSync(path, 'a file');
  const server = new ServerProcess(executable, path);
  expect(await server.ends()).toEqual([1, null]);
  expect(server.output).toContain('is no socket');
});

test('a rejection that the plugin left to itself harms no request', async () => {
  const server = new ServerProcess(executable, socketPath());
  await server.logged('started');
  const kong = await server.connect();
  const id = await kong.start('probe');
  expect(await kong.event(id, 'access', does('stray'))).toMatchObject({ end: 'returned' });
  await server.logged('unhandled_rejection');
  expect(await kong.event(id, 'access')).toMatchObject({ end: 'returned' });
});

test('after SIGKILL a new server works on the same path, and old ids mean nothing to it', async () => {
  const path = socketPath();
  const first = new ServerProcess(executable, path);
  await first.logged('started');
  const kong = await first.connect();
  const id = await kong.start('probe');
  const event = kong.event(id, 'access', does('crash'));
  expect((await event).end).toBe('closed');
  await first.ends();
  const second = new ServerProcess(executable, path);
  await second.logged('started');
  const again = await second.connect();
  expect(await again.event(id, 'access')).toEqual({ end: 'closed', calls: [] });
  await vi.waitFor(() => expect(again.closed).toBe(true));
});

test('fewer open files than connections are announced at the start', async () => {
  const server = new ServerProcess(executable, socketPath(), '--max-connections', '1000000');
  await server.logged('file_limit');
});
