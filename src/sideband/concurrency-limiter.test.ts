import { afterEach, expect, test } from 'vitest';
import { callerOf } from '../../test/support/sideband-clients.js';
import { CallDeadline, ConcurrencyLimiter } from './concurrency-limiter.js';
import { Deadlines } from './deadlines.js';

const open: CallDeadline[] = [];
afterEach(() => {
  for (const callDeadline of open.splice(0)) callDeadline.close();
});

function callDeadline(signal?: AbortSignal): CallDeadline {
  const one = new CallDeadline(new Deadlines(60_000), signal && callerOf(signal));
  open.push(one);
  return one;
}

test('slots are taken at once, then calls wait in order of arrival', async () => {
  const limiter = new ConcurrencyLimiter(1, 10);
  expect(limiter.take(callDeadline())).toBe('taken');
  const order: string[] = [];
  const first = Promise.resolve(limiter.take(callDeadline())).then(() => order.push('first'));
  const second = Promise.resolve(limiter.take(callDeadline())).then(() => order.push('second'));
  expect([limiter.taken, limiter.queued]).toEqual([1, 2]);
  limiter.release();
  await first;
  expect([limiter.taken, limiter.queued]).toEqual([1, 1]);
  limiter.release();
  await second;
  limiter.release();
  expect(order).toEqual(['first', 'second']);
  expect([limiter.taken, limiter.queued]).toEqual([0, 0]);
});

test('a full queue is said at once', () => {
  const limiter = new ConcurrencyLimiter(1, 1);
  limiter.take(callDeadline());
  void limiter.take(callDeadline());
  expect(limiter.take(callDeadline())).toBe('full');
});

test('no queue at all', () => {
  const limiter = new ConcurrencyLimiter(1, 0);
  limiter.take(callDeadline());
  expect(limiter.take(callDeadline())).toBe('full');
});

test('who gives up leaves the queue and never gets a slot', async () => {
  const limiter = new ConcurrencyLimiter(1, 10);
  limiter.take(callDeadline());
  const gone = new AbortController();
  const waiting = limiter.take(callDeadline(gone.signal));
  gone.abort();
  expect(await waiting).toBe('client_gone');
  expect(limiter.queued).toBe(0);
  limiter.release();
  expect(limiter.taken).toBe(0);
});

test('giving up after the slot was handed over does not lose it', async () => {
  const limiter = new ConcurrencyLimiter(1, 10);
  limiter.take(callDeadline());
  const gone = new AbortController();
  const waiting = limiter.take(callDeadline(gone.signal));
  limiter.release();
  gone.abort();
  expect(await waiting).toBe('taken');
  limiter.release();
  expect(limiter.taken).toBe(0);
});
