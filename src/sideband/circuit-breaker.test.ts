import { beforeEach, describe, expect, test } from 'vitest';
import { TestClock } from '../../test/support/sideband-clients.js';
import { CircuitBreaker } from './circuit-breaker.js';

const SETTINGS = { failures: 3, openMs: 10_000 };
let clock: TestClock;
let circuit: CircuitBreaker;
beforeEach(() => {
  clock = new TestClock();
  circuit = new CircuitBreaker(clock);
});

function fail(times: number): void {
  for (let i = 0; i < times; i++) {
    const admission = circuit.admit(SETTINGS);
    if (admission.admitted) circuit.failed(admission.probe, SETTINGS, 'unavailable', clock.now());
  }
}

const OPEN = { admitted: false, because: 'open', scope: 'unavailable' };

describe('consecutive failures', () => {
  test('open it when there are enough of them', () => {
    fail(2);
    expect(circuit.state).toBe('closed');
    fail(1);
    expect(circuit.state).toBe('open');
    expect(circuit.admit(SETTINGS)).toEqual({ ...OPEN, secondsLeft: 10 });
  });

  test('a success in between starts the count anew', () => {
    fail(2);
    circuit.succeeded(false);
    fail(2);
    expect(circuit.state).toBe('closed');
  });

  test('what says nothing about the provider changes nothing', () => {
    fail(2);
    circuit.abandoned(false);
    fail(1);
    expect(circuit.state).toBe('open');
  });

  test('the time that is left is reported, rounded up', () => {
    fail(3);
    clock.forward(7100);
    expect(circuit.admit(SETTINGS)).toMatchObject({ secondsLeft: 3 });
    expect(circuit.secondsLeft).toBe(3);
  });

  test('results of calls that were under way when it opened neither close nor prolong it', () => {
    fail(3);
    clock.forward(9000);
    circuit.failed(false, SETTINGS, 'unavailable', clock.now());
    circuit.succeeded(false);
    expect(circuit.state).toBe('open');
    clock.forward(1000);
    expect(circuit.state).toBe('half_open');
  });

  test('0 failures: this instance neither opens nor heeds it', () => {
    const off = { failures: 0, openMs: 10_000 };
    for (let i = 0; i < 100; i++) circuit.failed(false, off, 'unavailable', clock.now());
    expect(circuit.state).toBe('closed');
    fail(3);
    expect(circuit.admit(off)).toEqual({ admitted: true, probe: false });
  });
});

describe('what it was opened by', () => {
  const admission = () => circuit.admit(SETTINGS);

  test('only by a provider that was never reached: unreachable', () => {
    for (let i = 0; i < 3; i++) circuit.failed(false, SETTINGS, 'unreachable', clock.now());
    expect(admission()).toMatchObject({ because: 'open', scope: 'unreachable' });
  });

  test('one failure of a provider that was reached is enough: unavailable', () => {
    circuit.failed(false, SETTINGS, 'unavailable', clock.now());
    for (let i = 0; i < 2; i++) circuit.failed(false, SETTINGS, 'unreachable', clock.now());
    expect(admission()).toMatchObject({ because: 'open', scope: 'unavailable' });
  });

  test('a success in between makes it forget', () => {
    circuit.failed(false, SETTINGS, 'unavailable', clock.now());
    circuit.succeeded(false);
    clock.forward(1);
    for (let i = 0; i < 3; i++) circuit.failed(false, SETTINGS, 'unreachable', clock.now());
    expect(admission()).toMatchObject({ because: 'open', scope: 'unreachable' });
  });

  test('later, the latest probe tells', () => {
    for (let i = 0; i < 3; i++) circuit.failed(false, SETTINGS, 'unreachable', clock.now());
    for (const scope of ['unavailable', 'unreachable'] as const) {
      clock.forward(10_000);
      expect(admission()).toEqual({ admitted: true, probe: true });
      circuit.failed(true, SETTINGS, scope, clock.now());
      expect(admission()).toMatchObject({ because: 'open', scope });
    }
  });
});

test('requests that fail while others succeed never open it: one client must not close the provider to all', () => {
  for (let i = 0; i < 10; i++) {
    const startedAt = clock.now();
    clock.forward(5);
    circuit.succeeded(false);
    clock.forward(5);
    circuit.failed(false, SETTINGS, 'unavailable', startedAt);
  }
  expect(circuit.isQuiet).toBe(true);
});

describe('half open', () => {
  beforeEach(() => {
    fail(3);
    clock.forward(10_000);
  });

  test('one probe is let through, everybody else is still kept away', () => {
    expect(circuit.admit(SETTINGS)).toEqual({ admitted: true, probe: true });
    for (let i = 0; i < 5; i++)
      expect(circuit.admit(SETTINGS)).toMatchObject({ admitted: false, secondsLeft: 1 });
  });

  test('the probe succeeds: closed, and the count starts anew', () => {
    circuit.admit(SETTINGS);
    circuit.succeeded(true);
    expect(circuit.state).toBe('closed');
    fail(2);
    expect(circuit.state).toBe('closed');
  });

  test('the probe fails: open for the whole time again', () => {
    circuit.admit(SETTINGS);
    circuit.failed(true, SETTINGS, 'unavailable', clock.now());
    expect(circuit.admit(SETTINGS)).toEqual({ ...OPEN, secondsLeft: 10 });
  });

  test('the probe is given up (its client went away): the next request probes', () => {
    circuit.admit(SETTINGS);
    circuit.abandoned(true);
    expect(circuit.admit(SETTINGS)).toEqual({ admitted: true, probe: true });
  });
});

describe('429', () => {
  const OFF = { failures: 0, openMs: 10_000 };

  test('keeps everybody away for the time it asked for, also with circuit_failures 0', () => {
    circuit.rateLimited(false, 30);
    clock.forward(12_500);
    expect(circuit.state).toBe('rate_limited');
    expect(circuit.admit(OFF)).toMatchObject({ admitted: false, because: 'rate_limited', secondsLeft: 18 });
    clock.forward(17_500);
    expect(circuit.admit(OFF)).toEqual({ admitted: true, probe: false });
  });

  test('a shorter time that comes later does not shorten it', () => {
    circuit.rateLimited(false, 30);
    circuit.rateLimited(false, 1);
    clock.forward(29_000);
    expect(circuit.state).toBe('rate_limited');
  });

  test('is an answer: it ends a series of failures and a half-open state', () => {
    fail(3);
    clock.forward(10_000);
    circuit.admit(SETTINGS);
    circuit.rateLimited(true, 5);
    clock.forward(5000);
    expect(circuit.state).toBe('closed');
  });
});
