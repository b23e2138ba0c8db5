import { afterEach, expect, test } from 'vitest';
import { callerOf } from '../../test/support/sideband-clients.js';
import { CallSlots, Patience } from './call-slots.js';
import { Deadlines } from './deadlines.js';

const open: Patience[] = [];
afterEach(() => {
  for (const patience of open.splice(0)) patience.close();
});

function patience(signal?: AbortSignal): Patience {
  const one = new Patience(new Deadlines(60_000), signal && callerOf(signal));
  open.push(one);
  return one;
}

test('slots are taken at once, then calls wait in order of arrival', async () => {
  const slots = new CallSlots(1, 10);
  expect(slots.take(patience())).toBe('taken');
  const order: string[] = [];
  const first = Promise.resolve(slots.take(patience())).then(() => order.push('first'));
  const second = Promise.resolve(slots.take(patience())).then(() => order.push('second'));
  expect([slots.taken, slots.queued]).toEqual([1, 2]);
  slots.release();
  await first;
  expect([slots.taken, slots.queued]).toEqual([1, 1]);
  slots.release();
  await second;
  slots.release();
  expect(order).toEqual(['first', 'second']);
  expect([slots.taken, slots.queued]).toEqual([0, 0]);
});

test('a full queue is said at once', () => {
  const slots = new CallSlots(1, 1);
  slots.take(patience());
  void slots.take(patience());
  expect(slots.take(patience())).toBe('full');
});

test('no queue at all', () => {
  const slots = new CallSlots(1, 0);
  slots.take(patience());
  expect(slots.take(patience())).toBe('full');
});

test('who gives up leaves the queue and never gets a slot', async () => {
  const slots = new CallSlots(1, 10);
  slots.take(patience());
  const gone = new AbortController();
  const waiting = slots.take(patience(gone.signal));
  gone.abort();
  expect(await waiting).toBe('client_gone');
  expect(slots.queued).toBe(0);
  slots.release();
  expect(slots.taken).toBe(0);
});

test('giving up after the slot was handed over does not lose it', async () => {
  const slots = new CallSlots(1, 10);
  slots.take(patience());
  const gone = new AbortController();
  const waiting = slots.take(patience(gone.signal));
  slots.release();
  gone.abort();
  expect(await waiting).toBe('taken');
  slots.release();
  expect(slots.taken).toBe(0);
});
