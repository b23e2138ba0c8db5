import { describe, expect, it } from 'vitest';
import { aMemo } from '../../test/model/messages.js';
import {
  accessPhase,
  fakeGateway,
  fakeInstance,
  PAYLOAD,
  RESPONSE,
  responsePhase,
} from '../../test/support/fake-instance.js';
import { writeMemo } from '../exchange/memo.js';
import { ByteBudget } from './byte-budget.js';

const overloaded = expect.objectContaining({ code: 'server_overloaded', retryAfterSeconds: 1 });

describe('the budget for bytes in work', () => {
  it('counts four times a body, and lets nobody in beyond its limit', () => {
    const budget = new ByteBudget(1000);
    const first = budget.take(200);
    expect(budget.held).toBe(800);
    expect(() => budget.take(51)).toThrow(overloaded);
    budget.take(50);
    expect(() => budget.take(0)).not.toThrow();
    budget.giveBack(first);
    expect(budget.held).toBe(200);
  });

  it('lets a message in alone that is larger than all of it', () => {
    const budget = new ByteBudget(1000);
    budget.take(5000);
    expect(() => budget.take(0)).toThrow(overloaded);
  });

  it('gets back what a phase took, also when the phase fails', async () => {
    const instance = fakeInstance();
    const reading = () => {
      throw new Error('Kong failed');
    };
    const gateway = fakeGateway({ reading });
    await accessPhase(instance, gateway, {});
    const memo = writeMemo(aMemo('permit', PAYLOAD, null));
    const failing = { ...instance, setup: instance.setup };
    await responsePhase(failing, fakeGateway({ memo }), {});
    expect(instance.budget.held).toBe(0);
  });

  it('withholds a response that would be too much, and says when to try again', async () => {
    const budget = new ByteBudget(RESPONSE.body.length);
    budget.take(1);
    const instance = { ...fakeInstance(), budget };
    const gateway = fakeGateway({ memo: writeMemo(aMemo('permit', PAYLOAD, null)) });
    await responsePhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status: 503 } }]);
    const [deed] = gateway.deeds;
    expect(deed?.did === 'withhold' && deed.response.headers.get('retry-after')).toBe('1');
    expect(budget.held).toBe(4);
  });
});
