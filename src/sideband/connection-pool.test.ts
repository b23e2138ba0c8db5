import { afterEach, expect, test } from 'vitest';
import { callerOf, PUNCTUAL_CLOCK } from '../../test/support/sideband-clients.js';
import { CallDeadline } from './call-deadline.js';
import { Connection, ConnectionPool } from './connection-pool.js';

const open: CallDeadline[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function deadline(signal?: AbortSignal): CallDeadline {
  const one = new CallDeadline(60_000, PUNCTUAL_CLOCK, signal && callerOf(signal));
  open.push(one);
  return one;
}

/** No connection is opened before a call is dispatched. */
function poolOf(connections: number, maxQueued: number): ConnectionPool {
  const tls = { verify: true, caCertificate: undefined, clientCertificate: undefined, clientKey: undefined };
  const times = { connectTimeoutMs: 1000, keepAliveMs: 1000 };
  const settings = { ...tls, ...times, serverName: undefined, connections, maxQueued };
  return new ConnectionPool('https://127.0.0.1:1', settings, PUNCTUAL_CLOCK);
}

/** Gives connections back and waits until they can be used. */
async function release(pool: ConnectionPool, ...connections: Connection[]): Promise<void> {
  for (const connection of connections) pool.release(connection);
  await new Promise((resolve) => setImmediate(resolve));
}

/** The pool's only connection, in use. */
function acquired(pool: ConnectionPool): Connection {
  const connection = pool.acquire(deadline());
  if (connection instanceof Connection) return connection;
  throw new Error('no connection was free');
}

test('connections are given at once, then calls wait in order of arrival', async () => {
  const pool = poolOf(1, 10);
  const connection = acquired(pool);
  const order: string[] = [];
  const first = Promise.resolve(pool.acquire(deadline())).then(() => order.push('first'));
  const second = Promise.resolve(pool.acquire(deadline())).then(() => order.push('second'));
  expect([pool.underWay, pool.queued]).toEqual([1, 2]);
  await release(pool, connection);
  await first;
  expect([pool.underWay, pool.queued]).toEqual([1, 1]);
  await release(pool, connection);
  await second;
  await release(pool, connection);
  expect(order).toEqual(['first', 'second']);
  expect([pool.underWay, pool.queued]).toEqual([0, 0]);
});

test('a full queue refuses at once', () => {
  const pool = poolOf(1, 1);
  pool.acquire(deadline());
  void pool.acquire(deadline());
  expect(pool.acquire(deadline())).toBe('full');
});

test('no queue at all', () => {
  const pool = poolOf(1, 0);
  pool.acquire(deadline());
  expect(pool.acquire(deadline())).toBe('full');
});

test('a connection that was just given back is not in use: the next call waits for it although there is no queue', async () => {
  const pool = poolOf(1, 0);
  const connection = acquired(pool);
  pool.release(connection);
  const next = pool.acquire(deadline());
  expect(next).toBeInstanceOf(Promise);
  expect(pool.acquire(deadline())).toBe('full');
  expect(await next).toBe(connection);
});

test('a call that is given up leaves the queue and never gets a connection', async () => {
  const pool = poolOf(1, 10);
  const connection = acquired(pool);
  const gone = new AbortController();
  const waiting = pool.acquire(deadline(gone.signal));
  gone.abort();
  expect(await waiting).toBe('client_gone');
  expect(pool.queued).toBe(0);
  await release(pool, connection);
  expect(pool.underWay).toBe(0);
});

test('giving up after the connection was handed over does not lose it', async () => {
  const pool = poolOf(1, 10);
  const connection = acquired(pool);
  const gone = new AbortController();
  const waiting = pool.acquire(deadline(gone.signal));
  await release(pool, connection);
  gone.abort();
  expect(await waiting).toBe(connection);
  await release(pool, connection);
  expect(pool.underWay).toBe(0);
});

test('the connection that was used last is used next', async () => {
  const pool = poolOf(2, 0);
  const [first, second] = [acquired(pool), acquired(pool)];
  await release(pool, first, second);
  expect(acquired(pool)).toBe(second);
});

test('a replaced connection is not used again, and counts no more', async () => {
  const pool = poolOf(1, 0);
  const connection = acquired(pool);
  const fresh = pool.replace(connection);
  expect([fresh === connection, connection.destroyed, pool.underWay]).toEqual([false, true, 1]);
  await release(pool, fresh);
  expect([acquired(pool), pool.underWay]).toEqual([fresh, 1]);
});
