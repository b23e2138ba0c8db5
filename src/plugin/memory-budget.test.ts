import { describe, expect, it } from 'vitest';
import { aRequestContext } from '../../test/model/messages.js';
import {
  accessPhase,
  fakeGateway,
  fakeInstance,
  PAYLOAD,
  RESPONSE,
  responsePhase,
} from '../../test/support/fake-instance.js';
import { writeRequestContext } from '../sideband/request-context.js';
import { MemoryBudget } from './memory-budget.js';

const overloaded = expect.objectContaining({ code: 'server_overloaded', retryAfterSeconds: 1 });

describe('the memory budget', () => {
  it('counts what an event holds, and lets nobody have more than there is', () => {
    const budget = new MemoryBudget(100_000);
    const first = budget.reservation('response');
    const second = budget.reservation('response');
    first.grow(80_000);
    expect(budget.held).toBe(80_000);
    expect(() => second.grow(20_001)).toThrow(overloaded);
    second.grow(20_000);
    expect(budget.held).toBe(100_000);
    expect(() => second.grow(1)).toThrow(overloaded);
    first.release();
    second.grow(1);
    expect(budget.held).toBe(20_001);
  });

  it('counts the whole of an event as soon as it is no small one, and nothing of small ones', () => {
    const budget = new MemoryBudget(100_000);
    const events = Array.from({ length: 100 }, () => budget.reservation('access'));
    for (const event of events) event.grow(16_384);
    expect(budget.held).toBe(0);
    events[0]?.grow(1);
    expect(budget.held).toBe(16_385);
    for (const event of events) event.release();
    expect(budget.held).toBe(0);
  });

  it('gets back what is no longer held', () => {
    const budget = new MemoryBudget(100_000);
    const event = budget.reservation('access');
    event.grow(50_000);
    event.shrink(20_000);
    expect(budget.held).toBe(30_000);
    event.grow(10_000);
    expect(budget.held).toBe(40_000);
    event.shrink(1e9);
    expect(budget.held).toBe(0);
    event.release();
    expect(budget.held).toBe(0);
  });

  it('lets a message in alone that is larger than all of it, also while it grows', () => {
    const budget = new MemoryBudget(100_000);
    const event = budget.reservation('access');
    event.grow(500_000);
    event.grow(500_000);
    expect(() => budget.reservation('access').grow(20_000)).toThrow(overloaded);
    expect(() => budget.reservation('access').grow(0)).not.toThrow();
  });

  it('keeps a quarter for responses, which have been at the upstream already', () => {
    const budget = new MemoryBudget(100_000);
    budget.reservation('access').grow(75_000);
    const request = budget.reservation('access');
    expect(() => request.grow(20_000)).toThrow(overloaded);
    budget.reservation('response').grow(25_000);
    expect(() => request.grow(0)).not.toThrow();
  });

  it('takes no length that would end its counting', () => {
    const budget = new MemoryBudget(100_000);
    for (const bytes of [Number.NaN, -1]) {
      expect(() => budget.reservation('access').grow(bytes)).toThrow(overloaded);
      expect(budget.reserve(bytes)).toBe(false);
    }
    expect(budget.held).toBe(0);
  });

  it('withholds a response whose record of the request would be too much: it goes into the payload', async () => {
    const budget = new MemoryBudget(100_000);
    budget.reserve(4);
    const instance = { ...fakeInstance(), budget };
    const requestContext = writeRequestContext(
      aRequestContext('permit', { ...PAYLOAD, body: 'x'.repeat(50_000) }, undefined),
    );
    const gateway = fakeGateway({ requestContext, response: { ...RESPONSE, body: new Uint8Array(0) } });
    await responsePhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status: 503 } }]);
    expect(budget.held).toBe(4);
  });

  it('gets back what a phase took, also when the phase fails', async () => {
    const instance = fakeInstance();
    const reading = () => {
      throw new Error('Kong failed');
    };
    const gateway = fakeGateway({ reading });
    await accessPhase(instance, gateway, {});
    const requestContext = writeRequestContext(aRequestContext('permit', PAYLOAD, null));
    const failing = { ...instance, setup: instance.setup };
    await responsePhase(failing, fakeGateway({ requestContext }), {});
    expect(instance.budget.held).toBe(0);
  });

  it('withholds a response that would be too much, and says when to try again', async () => {
    const budget = new MemoryBudget(100_000);
    budget.reserve(4);
    const instance = { ...fakeInstance(), budget };
    const gateway = fakeGateway({
      response: { ...RESPONSE, body: new Uint8Array(100_001) },
      requestContext: writeRequestContext(aRequestContext('permit', PAYLOAD, null)),
    });
    await responsePhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status: 503 } }]);
    const [deed] = gateway.deeds;
    expect(deed?.did === 'withhold' && deed.response.headers.get('retry-after')).toBe('1');
    expect(budget.held).toBe(4);
  });
});

it('tells when messages in progress take much memory, once, and when they no longer do', () => {
  const loads: boolean[] = [];
  const budget = new MemoryBudget(100_000_000, (isMuch) => loads.push(isMuch));
  budget.reserve(8_000_000);
  budget.hold(1_000_000);
  budget.reserve(1_000_000);
  expect(loads).toEqual([true]);
  budget.giveBack(5_000_000);
  expect(loads).toEqual([true]);
  budget.giveBack(1_000_000);
  expect(loads).toEqual([true, false]);
  budget.reserve(5_000_000);
  expect(loads).toEqual([true, false, true]);
});

it('tells so from a quarter of a small budget on', () => {
  const loads: boolean[] = [];
  const budget = new MemoryBudget(8_000_000, (isMuch) => loads.push(isMuch));
  budget.reserve(1_900_000);
  expect(loads).toEqual([]);
  budget.reserve(200_000);
  expect(loads).toEqual([true]);
});
