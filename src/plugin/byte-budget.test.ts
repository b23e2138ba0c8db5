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
import { ByteBudget } from './byte-budget.js';

const overloaded = expect.objectContaining({ code: 'server_overloaded', retryAfterSeconds: 1 });

describe('the budget for bytes in work', () => {
  it('counts four times a body, and lets nobody in beyond its limit', () => {
    const budget = new ByteBudget(1000);
    const first = budget.take(200, 'response');
    expect(budget.held).toBe(800);
    expect(() => budget.take(51, 'response')).toThrow(overloaded);
    budget.take(50, 'response');
    expect(() => budget.take(0, 'response')).not.toThrow();
    budget.giveBack(first);
    expect(budget.held).toBe(200);
  });

  it('lets a message in alone that is larger than all of it', () => {
    const budget = new ByteBudget(1000);
    budget.take(5000, 'access');
    expect(() => budget.take(0, 'access')).toThrow(overloaded);
  });

  it('keeps a quarter for responses, which have been at the upstream already', () => {
    const budget = new ByteBudget(1000);
    budget.take(187, 'access');
    expect(() => budget.take(1, 'access')).toThrow(overloaded);
    budget.take(63, 'response');
    expect(() => budget.take(0, 'access')).not.toThrow();
  });

  it('takes no length that would end its counting', () => {
    const budget = new ByteBudget(1000);
    for (const bytes of [Number.NaN, -1]) expect(() => budget.take(bytes, 'access')).toThrow(overloaded);
    expect(budget.held).toBe(0);
  });

  it('counts of an answer what it has beyond its message', () => {
    expect([ByteBudget.beyond(100, 0), ByteBudget.beyond(100, 200), ByteBudget.beyond(100, 4000)]).toEqual([
      100, 50, 0,
    ]);
  });

  it('withholds a response whose record of the request would be too much: it goes into the payload', async () => {
    const budget = new ByteBudget(100_000);
    budget.take(1, 'access');
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
    const budget = new ByteBudget(RESPONSE.body.length);
    budget.take(1, 'access');
    const instance = { ...fakeInstance(), budget };
    const gateway = fakeGateway({
      requestContext: writeRequestContext(aRequestContext('permit', PAYLOAD, null)),
    });
    await responsePhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status: 503 } }]);
    const [deed] = gateway.deeds;
    expect(deed?.did === 'withhold' && deed.response.headers.get('retry-after')).toBe('1');
    expect(budget.held).toBe(4);
  });
});
