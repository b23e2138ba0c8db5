import { describe, expect, it } from 'vitest';
import { fakeGateway, fakeInstance } from '../../test/support/fake-instance.js';
import type { ResponseToSend } from '../http/message.js';
import type { LogValues } from '../kong/gateway.js';
import { PhaseRun } from './phase-run.js';

/** A phase that comes to an end, but to no decision: no outcome, no answer, nothing thrown. */
class UndecidedRun extends PhaseRun {
  readonly phase = 'access';

  protected async evaluate(): Promise<void> {}

  protected shouldFailOpen(): boolean {
    return true;
  }

  protected forward(log: LogValues): Promise<void> {
    return this.gateway.permit({} as never, '', log);
  }

  protected respond(response: ResponseToSend, log?: LogValues): Promise<void> {
    return this.gateway.refuse(response, log);
  }
}

describe('a phase that ends without a decision', () => {
  it('is refused, with all that makes an answer of ours, and with an alarm for Kong’s log', async () => {
    const gateway = fakeGateway();
    const instance = fakeInstance();
    await new UndecidedRun(instance, gateway, {}).run();
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
      await new UndecidedRun(fakeInstance({ config }), gateway, {}).run();
      expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 500 } }]);
    }
  });
});
