import { afterEach, expect, test } from 'vitest';
import { callerOf, PUNCTUAL_CLOCK } from '../../test/support/sideband-clients.js';
import { CallDeadline } from './call-deadline.js';
import { ConnectionPool } from './connection-pool.js';

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

test('places are given at once, then calls wait in order of arrival', async () => {
  const pool = poolOf(1, 10);
  expect(pool.acquire(deadline())).toBe('acquired');
  const order: string[] = [];
  const first = Promise.resolve(pool.acquire(deadline())).then(() => order.push('first'));
  const second = Promise.resolve(pool.acquire(deadline())).then(() => order.push('second'));
  expect([pool.underWay, pool.queued]).toEqual([1, 2]);
  pool.release();
  await first;
  expect([pool.underWay, pool.queued]).toEqual([1, 1]);
  pool.release();
  await second;
  pool.release();
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

test('who gives up leaves the queue and never gets a place', async () => {
  const pool = poolOf(1, 10);
  pool.acquire(deadline());
  const gone = new AbortController();
  const waiting = pool.acquire(deadline(gone.signal));
  gone.abort();
  expect(await waiting).toBe('client_gone');
  expect(pool.queued).toBe(0);
  pool.release();
  expect(pool.underWay).toBe(0);
});

test('giving up after the place was handed over does not lose it', async () => {
  const pool = poolOf(1, 10);
  pool.acquire(deadline());
  const gone = new AbortController();
  const waiting = pool.acquire(deadline(gone.signal));
  pool.release();
  gone.abort();
  expect(await waiting).toBe('acquired');
  pool.release();
  expect(pool.underWay).toBe(0);
});
