import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { frame } from '../../dev/kong-connection/frames.js';
import { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import { eventCall, instanceCall, readExit, textMessage } from '../../dev/kong-connection/messages.js';
import { atEnd, temporaryFolder } from './probe-server.js';
import { buildExecutable, removeExecutable, ServerProcess } from './server-process.js';

let executable: string;
beforeAll(async () => {
  executable = await buildExecutable();
});
afterAll(removeExecutable);

async function serve(...options: string[]): Promise<ServerProcess> {
  const server = new ServerProcess(executable, join(temporaryFolder(), 's'), '--workers', '2', ...options);
  await server.logged('started');
  return server;
}

/** The pid of the worker that served the event, as the probe plugin tells it. */
async function servedBy(kong: KongConnection, id: number, mark: string): Promise<number> {
  const { calls } = await kong.event(id, 'access');
  const [, pid] = new RegExp(`${mark}:(\\d+)`).exec(String(calls.at(-1)?.payload)) ?? [];
  return Number(pid);
}

test('an instance is known to all workers before Kong gets its id, connections are spread over them', async () => {
  const server = await serve();
  const kongs = await Promise.all(Array.from({ length: 6 }, () => server.connect()));
  for (let round = 0; round < 5; round++) {
    const id = await (kongs[round] as KongConnection).start('probe', { mark: `m${round}` });
    const pids = await Promise.all(kongs.map((kong) => servedBy(kong, id, `m${round}`)));
    expect(new Set(pids).size).toBe(2);
    for (const pid of new Set(pids)) expect(pids.filter((one) => one === pid)).toHaveLength(3);
    expect(pids).not.toContain(server.child.pid);
  }
});

test('an unknown instance closes the connection, a closed one is closed in every worker', async () => {
  const server = await serve();
  const [first, second] = [await server.connect(), await server.connect()];
  const id = await first.start('probe');
  first.send(instanceCall(2, 35, id));
  await first.next();
  await vi.waitFor(async () =>
    expect(await (await server.connect()).event(id, 'access')).toMatchObject({ end: 'closed' }),
  );
  expect(await second.event(99, 'access')).toEqual({ end: 'closed', calls: [] });
});

test('a worker that dies takes only its own requests along, and its successor knows the instances', async () => {
  const server = await serve();
  const [first, second] = [await server.connect(), await server.connect()];
  const id = await first.start('probe', { mark: 'm' });
  const waiting = second.event(id, 'access', () => textMessage('wait'));
  const killed = await first.event(id, 'access', () => textMessage('crash'));
  expect(killed.end).toBe('closed');
  expect(await waiting).toMatchObject({ end: 'returned' });
  await server.logged('worker_ended');
  await server.logged('worker_ready', 3);
  const pids = new Set<number>();
  for (let i = 0; i < 4; i++) pids.add(await servedBy(await server.connect(), id, 'm'));
  expect(pids.size).toBe(2);
});

test('the connections of a worker that dies can be written to: Kong must not fail while it sends', async () => {
  const server = await serve();
  const [{ worker = 0 } = {}] = await server.logged('worker_ready', 2);
  const sockets = Array.from({ length: 6 }, () => connect({ path: server.socketPath, allowHalfOpen: true }));
  const errors: Error[] = [];
  for (const socket of sockets) {
    atEnd(() => socket.destroy());
    socket.on('error', (error) => errors.push(error)).resume();
  }
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const id = await (await server.connect()).start('probe', { mark: 'm' });
  process.kill(worker, 'SIGKILL');
  await server.logged('worker_ended');
  await vi.waitFor(() => expect(sockets.filter((socket) => socket.readableEnded)).toHaveLength(3));
  const closed = sockets.filter((socket) => socket.readableEnded);
  for (const socket of closed) {
    await new Promise((resolve) => socket.write(frame(eventCall(1, id, 'access')), resolve));
  }
  expect(errors).toEqual([]);
  // Those of the other worker stay open.
  const [open] = sockets.filter((socket) => !closed.includes(socket));
  expect(open?.writable).toBe(true);
});

test('while no worker is there every request is refused with 503; then requests are served again', async () => {
  const server = await serve();
  const { worker: one } = (await server.logged('worker_ready', 2))[0] ?? {};
  const { worker: two } = (await server.logged('worker_ready', 2))[1] ?? {};
  const kong = await server.connect();
  const id = await kong.start('probe', { mark: 'm' });
  for (const pid of [one, two]) process.kill(Number(pid), 'SIGKILL');
  await server.logged('worker_ended', 2);
  const { end, calls } = await (await server.connect()).event(id, 'access');
  expect(end).toBe('exit');
  expect(calls.map(readExit).at(-1)).toMatchObject({ status: 503 });
  await server.logged('worker_ready', 4);
  expect(await servedBy(await server.connect(), id, 'm')).toBeGreaterThan(0);
});

test('SIGTERM to the parent lets events in all workers end; nothing is left', async () => {
  const server = await serve();
  const workers = (await server.logged('worker_ready', 2)).map(({ worker }) => Number(worker));
  const kongs = await Promise.all([server.connect(), server.connect()]);
  const id = await (kongs[0] as KongConnection).start('probe', { mark: 'm' });
  let signals = 0;
  const events = kongs.map((kong) =>
    kong.event(id, 'access', ({ method }) => {
      if (method.endsWith('get_header') && ++signals === 2) server.child.kill('SIGTERM');
      return textMessage('wait');
    }),
  );
  for (const event of events) expect(await event).toMatchObject({ end: 'returned' });
  expect(await server.ends()).toEqual([0, null]);
  for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow();
});

test('workers whose parent is killed end by themselves', async () => {
  const server = await serve();
  const workers = (await server.logged('worker_ready', 2)).map(({ worker }) => Number(worker));
  server.child.kill('SIGKILL');
  for (const pid of workers) {
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 10_000 });
  }
});

test('a worker whose parent has gone while it started ends by itself', async () => {
  const worker = fork(executable, ['--socket', 'unused'], {
    env: { ...process.env, PLUGINSERVER_WORKER: '1' },
    silent: true,
  });
  atEnd(() => worker.kill('SIGKILL'));
  worker.disconnect();
  expect(await once(worker, 'exit')).toEqual([0, null]);
});

test('a takeover between servers with workers', async () => {
  const old = await serve();
  const next = new ServerProcess(executable, old.socketPath, '--workers', '2');
  await next.logged('started');
  old.child.kill('SIGTERM');
  expect(await old.ends()).toEqual([0, null]);
  const kong = await next.connect();
  const id = await kong.start('probe', { mark: 'm' });
  expect(await servedBy(kong, id, 'm')).toBeGreaterThan(0);
});

test('an instance that is dropped right after it was found is not served', async () => {
  // This test is the worker's parent.
  const worker = fork(executable, ['--socket', 'unused'], {
    env: { ...process.env, PLUGINSERVER_WORKER: '1' },
    silent: true,
  });
  atEnd(() => worker.kill('SIGKILL'));
  const told = async (type: string): Promise<{ readonly request: number }> => {
    for (;;) {
      const [message] = await once(worker, 'message');
      if (message.type === type) return message;
    }
  };
  const ready = told('ready');
  worker.send({ type: 'instances', records: [] });
  await ready;
  const listener = createServer({ pauseOnConnect: true }, (socket) =>
    worker.send({ type: 'connection', connection: 1 }, socket),
  ).listen(join(temporaryFolder(), 's'));
  atEnd(() => listener.close());
  const kong = await KongConnection.connect(String(listener.address()));
  atEnd(() => kong.destroy());
  const asked = told('find');
  const event = kong.event(5, 'access');
  const { request } = await asked;
  const record = { id: 5, name: 'probe', config: '{}', startedAt: 1 };
  worker.send({ type: 'instance', record });
  worker.send({ type: 'answer', request, result: {} });
  worker.send({ type: 'drop', id: 5 });
  expect(await event).toEqual({ end: 'closed', calls: [] });
  const again = told('find');
  const next = await KongConnection.connect(String(listener.address()));
  atEnd(() => next.destroy());
  void next.event(5, 'access');
  await again;
});
