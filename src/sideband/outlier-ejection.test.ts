import { beforeEach, expect, test } from 'vitest';
import { TestClock } from '../../test/support/sideband-clients.js';
import { CircuitBreaker } from './circuit-breaker.js';

// A circuit breaker that opens at the first failure decides which providers are called last.
const EJECTION = { failures: 1, openMs: 5000 };
let clock: TestClock;
let ejection: CircuitBreaker;
beforeEach(() => {
  clock = new TestClock();
  ejection = new CircuitBreaker(clock);
});

const isEjected = () => !ejection.admit(EJECTION).admitted;
const fail = (isProbe = false) => ejection.failed(isProbe, EJECTION, 'unreachable', clock.now());

test('nothing is ejected before a failure', () => {
  expect([ejection.isQuiet, isEjected()]).toEqual([true, false]);
});

test('after a failure others come first, until the time is up', () => {
  fail();
  clock.forward(4999);
  expect(isEjected()).toBe(true);
  clock.forward(1);
  expect(isEjected()).toBe(false);
});

test('exactly one request probes; the others keep away until it is back', () => {
  fail();
  clock.forward(5000);
  expect([isEjected(), isEjected(), isEjected()]).toEqual([false, true, true]);
  ejection.abandoned(true);
  expect(isEjected()).toBe(false);
});

test('a failed probe starts the time again, a successful one ends it', () => {
  fail();
  clock.forward(5000);
  isEjected();
  fail(true);
  expect(isEjected()).toBe(true);
  ejection.succeeded(true);
  expect([ejection.isQuiet, isEjected()]).toEqual([true, false]);
});
