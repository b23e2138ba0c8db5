import { describe, expect, it } from 'vitest';
import { fakeGateway, fakeInstance } from '../../test/support/fake-instance.js';
import type { Gateway, LogValues } from '../kong/gateway.js';
import { type Decision, type Phase, runPhase } from './phase-runner.js';

/** A phase that comes to an end, but to no decision, which its type forbids. */
function undecidedPhase(gateway: Gateway): Phase<never> {
  return {
    name: 'access',
    message: {},
    evaluate: async () => undefined as never,
    onError: () => ({ kind: 'forward', outcome: 'fail_open', changes: undefined as never }),
    apply: (decision: Decision<never>, log: LogValues) =>
      decision.kind === 'respond'
        ? gateway.refuse(decision.response, log)
        : gateway.permit({} as never, '', log),
  };
}

describe('a phase that ends without a decision', () => {
  it('is refused, with all that makes an answer of ours, and with an alarm for Kong’s log', async () => {
    const gateway = fakeGateway();
    const instance = fakeInstance();
    await runPhase(undecidedPhase(gateway), instance, {});
    expect(gateway.deeds).toMatchObject([
      { did: 'refuse', response: { status: 500 }, log: { values: { decision: 'refuse' } } },
    ]);
    const [deed] = gateway.deeds;
    const body = deed?.did === 'refuse' ? new TextDecoder().decode(deed.response.body) : '';
    expect(JSON.parse(body)).toMatchObject({ code: 'INTERNAL_ERROR' });
    expect(instance.decisions).toMatchObject([{ outcome: 'refuse' }]);
  });

  it('is refused also in monitor mode and with fail-open: there was no error to be open about', async () => {
    for (const config of [{ mode: 'monitor' }, { fail_open_request: true }]) {
      const gateway = fakeGateway();
      await runPhase(undecidedPhase(gateway), fakeInstance({ config }), {});
      expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 500 } }]);
    }
  });
});
