import { describe, expect, it } from 'vitest';
import { aRequestContext } from '../../test/model/messages.js';
import {
  fakeGateway,
  fakeInstance,
  PAYLOAD,
  RESPONSE,
  responsePhase,
} from '../../test/support/fake-instance.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { HeaderList } from '../http/headers.js';
import type { ResponseAnswer } from '../sideband/messages.js';
import { NOT_EVALUATED, writeRequestContext } from '../sideband/request-context.js';

const requestContext = writeRequestContext(
  aRequestContext('permit', PAYLOAD, { user: 'joe' }, { requestId: 'rid-1' }),
);
const SAME: ResponseAnswer = { responseCode: '200', headers: [['x-up', '1']], body: 'hello' };
const failing = (code: ErrorCode) => (): never => {
  throw new PingAuthError(code);
};

describe('the response phase', () => {
  it('shows the policy the response together with the state of this very request', async () => {
    const instance = fakeInstance({ response: () => SAME });
    await responsePhase(instance, fakeGateway({ requestContext }), {});
    expect(instance.asked).toMatchObject([
      { state: { user: 'joe' }, response_code: '200', response_status: 'OK', body: 'hello' },
    ]);
    expect(instance.decisions).toMatchObject([{ phase: 'response', outcome: 'pass', requestId: 'rid-1' }]);
  });

  it('lets pass what the policy did not change, and applies what it did', async () => {
    const gateway = fakeGateway({ requestContext });
    await responsePhase(fakeInstance({ response: () => SAME }), gateway, {});
    await responsePhase(fakeInstance({ response: () => ({ ...SAME, responseCode: 402 }) }), gateway, {});
    expect(gateway.deeds).toMatchObject([
      { did: 'filter', changes: { status: undefined, body: undefined } },
      { did: 'filter', changes: { status: 402 } },
    ]);
  });

  it.each([
    ['nothing', undefined],
    ['something else', '{"v":1}'],
    ["monitor mode's word", NOT_EVALUATED],
  ])('withholds a response when the access phase left %s, without asking', async (_name, left) => {
    const gateway = fakeGateway({ requestContext: left });
    const instance = fakeInstance();
    await responsePhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status: 500 } }]);
    expect(instance.asked).toEqual([]);
    expect(instance.decisions).toMatchObject([{ outcome: 'refuse', code: 'state_missing' }]);
  });

  it.each<[ErrorCode, number]>([
    ['provider_unreachable', 502],
    ['provider_timeout', 504],
    ['provider_answer_invalid', 502],
    ['internal_error', 500],
  ])('withholds the response on %s', async (code, status) => {
    const gateway = fakeGateway({ requestContext });
    await responsePhase(fakeInstance({ response: failing(code) }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status } }]);
    const [deed] = gateway.deeds;
    expect(deed?.did === 'withhold' && deed.response.headers.has('x-up')).toBe(false);
  });

  it('withholds a response with more headers than Kong shows', async () => {
    const headers = HeaderList.from(Array.from({ length: 1000 }, (_, n) => [`x-${n}`, '1'] as const));
    const gateway = fakeGateway({ requestContext, response: { ...RESPONSE, headers } });
    const instance = fakeInstance();
    await responsePhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status: 502 } }]);
  });

  it('withholds the response when the filter could only be half applied', async () => {
    const gateway = fakeGateway({ requestContext, fails: ['filter'] });
    await responsePhase(fakeInstance({ response: () => SAME }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'withhold', response: { status: 500 } }]);
    const twice = fakeGateway({ requestContext, fails: ['filter', 'withhold'] });
    await expect(responsePhase(fakeInstance({ response: () => SAME }), twice, {})).rejects.toThrow(
      'withhold',
    );
  });

  it('passes unfiltered only where fail_open_response is set and the provider is the cause', async () => {
    const config = { fail_open_response: true };
    const open = fakeGateway({ requestContext });
    await responsePhase(fakeInstance({ config, response: failing('provider_unreachable') }), open, {});
    expect(open.deeds).toMatchObject([{ did: 'filter', changes: { status: undefined, body: undefined } }]);
    const shut = fakeGateway({ requestContext });
    await responsePhase(fakeInstance({ config, response: failing('provider_not_json') }), shut, {});
    expect(shut.deeds).toMatchObject([{ did: 'withhold' }]);
  });

  it('changes nothing in monitor mode, not even for a request that would have been denied', async () => {
    const config = { mode: 'monitor' };
    const denied = fakeGateway({ requestContext: NOT_EVALUATED });
    const instance = fakeInstance({ config });
    await responsePhase(instance, denied, {});
    expect(denied.deeds).toMatchObject([{ did: 'filter', changes: { status: undefined } }]);
    const changed = fakeGateway({ requestContext });
    const asking = fakeInstance({ config, response: () => ({ ...SAME, responseCode: 403 }) });
    await responsePhase(asking, changed, {});
    expect(changed.deeds).toMatchObject([{ did: 'filter', changes: { status: undefined } }]);
    expect(asking.decisions).toMatchObject([{ outcome: 'monitor_change' }]);
  });
});
