import { beforeEach, expect, test } from 'vitest';
import { TestClock } from '../../test/support/sideband-clients.js';
import { Avoidance } from './circuit.js';

let clock: TestClock;
let avoidance: Avoidance;
beforeEach(() => {
  clock = new TestClock();
  avoidance = new Avoidance(clock);
});

test('nothing is avoided before a failure', () => {
  expect([avoidance.active, avoidance.claim()]).toEqual([false, false]);
});

test('after a failure others come first, until the time is up', () => {
  avoidance.failed(5000);
  clock.forward(4999);
  expect(avoidance.claim()).toBe(true);
  clock.forward(1);
  expect(avoidance.claim()).toBe(false);
});

test('exactly one request probes; the others keep away until it is back', () => {
  avoidance.failed(5000);
  clock.forward(5000);
  expect([avoidance.claim(), avoidance.claim(), avoidance.claim()]).toEqual([false, true, true]);
  avoidance.abandoned();
  expect(avoidance.claim()).toBe(false);
});

test('a failed probe starts the time anew, a successful one ends it', () => {
  avoidance.failed(5000);
  clock.forward(5000);
  avoidance.claim();
  avoidance.failed(5000);
  expect(avoidance.claim()).toBe(true);
  avoidance.reached();
  expect([avoidance.active, avoidance.claim()]).toEqual([false, false]);
});
