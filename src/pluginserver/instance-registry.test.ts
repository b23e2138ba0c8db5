import { beforeEach, expect, test } from 'vitest';
import { InstanceRegistry, UnknownInstances } from './instance-registry.js';

let now: number;
let registry: InstanceRegistry;

beforeEach(() => {
  now = 1_000_000;
  registry = new InstanceRegistry({ idleMs: 1000, now: () => now });
});

const config = (key: string, more: object = {}): string => JSON.stringify({ __key__: key, ...more });

test('ids are positive int32, differ, and do not follow each other', () => {
  const ids = Array.from({ length: 1000 }, () => registry.start('p', config('a')).id);
  expect(new Set(ids).size).toBe(1000);
  expect(Math.min(...ids)).toBeGreaterThan(0);
  expect(Math.max(...ids)).toBeLessThan(2 ** 31);
  expect(Math.max(...ids)).toBeGreaterThan(2 ** 24);
  const other = new InstanceRegistry({ idleMs: 1000 });
  expect(ids).not.toContain(other.start('p', config('b')).id);
});

test('an id in use is not given out again', () => {
  const random = [5, 5, 5, 6];
  const rigged = new InstanceRegistry({ idleMs: 1000, randomId: () => random.shift() ?? 0 });
  expect(rigged.start('p', '{}').id).toBe(5);
  expect(rigged.start('p', '{}').id).toBe(6);
});

test('an instance expires after its last use, not after its start', () => {
  const used = registry.start('p', config('a')).id;
  const unused = registry.start('p', config('b')).id;
  now += 800;
  registry.touch(used);
  now += 800;
  expect(registry.expire()).toEqual([unused]);
  expect(registry.get(used)).toBeDefined();
  expect(registry.get(unused)).toBeUndefined();
});

test('a restart is granted once for an instance and drops it', () => {
  const { id } = registry.start('p', config('a'));
  expect(registry.claimRestart(id)).toBe(true);
  expect(registry.get(id)).toBeUndefined();
  expect(registry.claimRestart(id)).toBe(false);
});

test('the configuration that was just restarted has to wait 30 s', () => {
  registry.claimRestart(registry.start('p', config('a')).id);
  const fresh = registry.start('p', config('a', { secret: 'new' })).id;
  expect(registry.claimRestart(fresh)).toBe(false);
  expect(registry.claimRestart(fresh)).toBe(false);
  expect(registry.get(fresh)).toBeDefined();
  now += 29_999;
  expect(registry.claimRestart(fresh)).toBe(false);
  now += 1;
  expect(registry.claimRestart(fresh)).toBe(true);
  now += 29_000;
  expect(registry.claimRestart(registry.start('p', config('a')).id)).toBe(false);
});

test('instances of other Kong workers that are as old are restarted, too, and other configurations are not held up', () => {
  const first = registry.start('p', config('a')).id;
  const second = registry.start('p', config('a')).id;
  const other = registry.start('p', config('b')).id;
  expect(registry.claimRestart(first)).toBe(true);
  expect(registry.claimRestart(second)).toBe(true);
  expect(registry.claimRestart(other)).toBe(true);
  expect(registry.claimRestart(registry.start('p', config('a')).id)).toBe(false);
});

test('without __key__ the plugin id counts, and an unreadable configuration counts as itself', () => {
  const byId = JSON.stringify({ __plugin_id: 'x' });
  registry.claimRestart(registry.start('p', byId).id);
  expect(registry.claimRestart(registry.start('p', byId).id)).toBe(false);
  registry.claimRestart(registry.start('p', '{broken').id);
  expect(registry.claimRestart(registry.start('p', '{broken').id)).toBe(false);
  expect(registry.claimRestart(registry.start('p', '{broken, too').id)).toBe(true);
});

test('an unknown id earns closes for ten seconds; no id at all earns them again and again, but not without end', () => {
  let time = 0;
  const unknown = new UnknownInstances(() => time);
  const ask = (id: number, times = 1) =>
    Array.from({ length: times }, () => unknown.mayClose(id)).filter(Boolean);
  expect(unknown.mayClose(7)).toBe(true);
  time = 9_999;
  expect(unknown.mayClose(7)).toBe(true);
  expect(ask(0, 10_000)).toHaveLength(500);
  time = 20_000;
  expect(unknown.mayClose(7)).toBe(false);
  expect(ask(0, 10_000)).toHaveLength(500);
});
