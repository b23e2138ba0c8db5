import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type ListenOptions, Server } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import type { ServerLogger } from '../../src/pluginserver/options.js';
import { checkQueue, ListenError, SocketListener } from '../../src/pluginserver/socket-listener.js';
import { atEnd, temporaryFolder } from './probe-server.js';

interface Listening {
  readonly listener: SocketListener;
  readonly accepted: () => number;
}

const SILENT: ServerLogger = { debug() {}, info() {}, warn() {}, error() {} };

async function listen(path: string, takeover = false): Promise<Listening> {
  let accepted = 0;
  const listener = await SocketListener.listen(
    { socketPath: path, takeover, socketMode: 0o660, logger: SILENT },
    (socket) => {
      accepted++;
      socket.on('error', () => {});
      atEnd(() => socket.destroy());
    },
  );
  atEnd(() => listener.close());
  return { listener, accepted: () => accepted };
}

async function connectTo(path: string): Promise<void> {
  const side = await KongConnection.connect(path);
  atEnd(() => side.destroy());
}

test('only owner and group reach the socket, and nothing else is left in the folder', async () => {
  const folder = temporaryFolder();
  const { listener } = await listen(join(folder, 's'));
  expect(lstatSync(join(folder, 's')).mode & 0o777).toBe(0o660);
  expect(readdirSync(folder)).toEqual(['s']);
  await listener.close();
  expect(readdirSync(folder)).toEqual([]);
});

test('the socket file of a process that died is replaced', async () => {
  const path = join(temporaryFolder(), 's');
  const die = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(spawnSync(process.execPath, ['-e', die]).signal).toBe('SIGKILL');
  expect(lstatSync(path).isSocket()).toBe(true);
  const { accepted } = await listen(path);
  await connectTo(path);
  await vi.waitFor(() => expect(accepted()).toBe(1));
});

test('a live server is not robbed by accident', async () => {
  const path = join(temporaryFolder(), 's');
  const first = await listen(path);
  await expect(listen(path)).rejects.toThrow(/another server listens on .*--takeover/);
  const before = first.accepted();
  await connectTo(path);
  await vi.waitFor(() => expect(first.accepted()).toBe(before + 1));
});

test('a takeover leaves no moment without a socket, and the old server leaves the path alone', async () => {
  const path = join(temporaryFolder(), 's');
  const old = await listen(path);
  await connectTo(path);
  await vi.waitFor(() => expect(old.accepted()).toBe(1));
  let connected = 0;
  let failed = 0;
  let running = true;
  const client = (async () => {
    while (running)
      await connectTo(path).then(
        () => connected++,
        () => failed++,
      );
  })();
  const next = await listen(path, true);
  expect(old.listener.superseded).toBe(true);
  expect(next.listener.superseded).toBe(false);
  const atTakeover = connected;
  await old.listener.close();
  while (connected < atTakeover + 20) await new Promise(setImmediate);
  running = false;
  await client;
  expect(failed).toBe(0);
  expect(next.accepted()).toBeGreaterThan(0);
  await next.listener.close();
  expect(existsSync(path)).toBe(false);
});

test('a server that ends leaves the socket of a successor that came between its look and its removal', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 's');
  const old = await listen(path);
  const next = await listen(path, true);
  // What the old one saw a moment before.
  Object.defineProperty(old.listener, 'superseded', { value: false });
  await old.listener.close();
  expect(next.listener.superseded).toBe(false);
  await connectTo(path);
  await vi.waitFor(() => expect(next.accepted()).toBe(1));
  expect(readdirSync(folder)).toEqual(['s']);
});

test('with umask 0, as Kong starts it, the socket is at no moment open to others', async () => {
  const folder = temporaryFolder();
  const modes = (): number[] => readdirSync(folder).map((name) => lstatSync(join(folder, name)).mode & 0o777);
  const seen: number[] = [];
  const { listen: bind } = Server.prototype;
  const spy = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, options) {
    bind.call(this, options as ListenOptions);
    seen.push(...modes());
    return this;
  } as typeof bind);
  const umask = process.umask(0);
  try {
    await listen(join(folder, 's'));
    expect(process.umask()).toBe(0);
  } finally {
    process.umask(umask);
    spy.mockRestore();
  }
  expect([...seen, ...modes()]).toEqual([0o660, 0o660]);
});

test('a file that is no socket is never removed', async () => {
  const path = join(temporaryFolder(), 's');
  writeFileSync(path, 'precious');
  await expect(listen(path, true)).rejects.toThrow(ListenError);
  expect(readFileSync(path, 'utf8')).toBe('precious');
});

test('more connections can wait than a burst of Kong brings, and a kernel that allows fewer is named', async () => {
  const lines: unknown[] = [];
  const write = (fields: object): void => void lines.push(fields);
  const logger = { debug: write, info: write, warn: write, error: write };
  checkQueue(logger, 4096);
  expect(lines).toEqual([]);
  checkQueue(logger, 128);
  expect(lines).toMatchObject([
    { event: 'listen_queue', limit: 128, remedy: expect.stringContaining('somaxconn') },
  ]);
});

test.runIf(spawnSync('ss', ['-V']).status === 0)('the queue is as long as the kernel allows', async () => {
  const path = join(temporaryFolder(), 's');
  await listen(path);
  const { stdout } = spawnSync('ss', ['-xlH'], { encoding: 'utf8' });
  const [, length] = new RegExp(`LISTEN\\s+\\d+\\s+(\\d+)\\s+${dirname(path)}/`).exec(stdout) ?? [];
  expect(length).toBe(readFileSync('/proc/sys/net/core/somaxconn', 'utf8').trim());
});

test('a missing folder and a path that is too long are named', async () => {
  const folder = temporaryFolder();
  await expect(listen(join(folder, 'missing', 's'))).rejects.toThrow(/its folder must exist/);
  await expect(listen(join(folder, 'x'.repeat(120)))).rejects.toThrow(/too long/);
});
