import { expect, it } from 'vitest';
import { ExchangeStore } from './store.js';

const line = (id: string, phase = 'access', more = '') =>
  JSON.stringify({
    event: 'decision',
    phase,
    decision: 'change',
    request_id: id,
    ...(more && { detail: more }),
  });

function filled(lines: readonly string[], exchanges = 3, bytes = 1_000_000): ExchangeStore {
  const store = new ExchangeStore({ exchanges, bytes });
  for (const [index, text] of lines.entries()) store.add({ number: index + 1, text });
  return store;
}

it('keeps the latest, and gives what has changed since', () => {
  const store = filled(['a', 'b', 'c', 'd'].map((id) => line(id)));
  const first = store.since(0, 2);
  expect(first.exchanges.map(({ requestId }) => requestId)).toEqual(['b', 'c']);
  expect(store.since(first.revision, 2).exchanges.map(({ requestId }) => requestId)).toEqual(['d']);
  store.add({ number: 5, text: line('c', 'response') });
  expect(store.since(4, 9).exchanges.map(({ key, response }) => [key, response?.lines])).toEqual([[3, [5]]]);
  expect(store.get(1)).toBeUndefined();
  expect(store.firstKey).toBe(2);
});

it('keeps no more bytes than allowed, but the latest exchange', () => {
  const store = filled(
    [line('a', 'access', 'x'.repeat(900)), line('b', 'access', 'x'.repeat(900))],
    10,
    1000,
  );
  expect(store.counts.exchanges).toBe(1);
  expect(store.get(2)).toBeDefined();
});

it('counts lines that cannot be read, and keeps the last of them', () => {
  const store = filled(Array.from({ length: 60 }, () => '{"event":"decision"'));
  expect(store.counts).toMatchObject({ lines: 60, broken: 60, exchanges: 0 });
  expect(store.counts.problems).toHaveLength(50);
  expect(store.counts.problems.at(-1)?.line).toBe(60);
});
