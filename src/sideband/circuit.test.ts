import { beforeEach, describe, expect, test } from 'vitest';
import { TestClock } from '../../test/support/sideband-clients.js';
import { Circuit } from './circuit.js';

const SETTINGS = { failures: 3, openMs: 10_000 };
let clock: TestClock;
let circuit: Circuit;
beforeEach(() => {
  clock = new TestClock();
  circuit = new Circuit(clock);
});

function fail(times: number): void {
  for (let i = 0; i < times; i++) {
    const admission = circuit.admit(SETTINGS);
    if (admission.admitted) circuit.failed(admission.probe, SETTINGS);
  }
}

describe('consecutive failures', () => {
  test('open it when there are enough of them', () => {
    fail(2);
    expect(circuit.state).toBe('closed');
    fail(1);
    expect(circuit.state).toBe('open');
    expect(circuit.admit(SETTINGS)).toEqual({ admitted: false, because: 'open', secondsLeft: 10 });
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
    circuit.failed(false, SETTINGS);
    circuit.succeeded(false);
    expect(circuit.state).toBe('open');
    clock.forward(1000);
    expect(circuit.state).toBe('half_open');
  });

  test('0 failures: this instance neither opens nor heeds it', () => {
    const off = { failures: 0, openMs: 10_000 };
    for (let i = 0; i < 100; i++) circuit.failed(false, off);
    expect(circuit.state).toBe('closed');
    fail(3);
    expect(circuit.admit(off)).toEqual({ admitted: true, probe: false });
  });
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
    circuit.failed(true, SETTINGS);
    expect(circuit.admit(SETTINGS)).toEqual({ admitted: false, because: 'open', secondsLeft: 10 });
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
    expect(circuit.admit(OFF)).toEqual({ admitted: false, because: 'rate_limited', secondsLeft: 18 });
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
