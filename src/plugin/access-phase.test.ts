import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { headerParts } from '../../test/model/decisions.js';
import { accessPhase, fakeGateway, fakeInstance, REQUEST } from '../../test/support/fake-instance.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { HeaderList } from '../http/headers.js';
import { toPingAuthError } from '../kong/call-errors.js';
import type { RequestAnswer } from '../sideband/messages.js';
import { NOT_EVALUATED, readRequestContext } from '../sideband/request-context.js';

const PERMIT: RequestAnswer = {
  kind: 'permit',
  method: 'GET',
  url: 'http://api.example:8000/things',
  headers: [
    ['host', 'api.example:8000'],
    ['accept', '*/*'],
  ],
  body: undefined,
  state: '{"user":"joe"}',
  sourceIp: undefined,
  sourcePort: undefined,
  clientCertificate: undefined,
};
const DENY: RequestAnswer = {
  kind: 'deny',
  response: { responseCode: '403', headers: [['x-why', 'policy']], body: 'no' },
};
const failing = (code: ErrorCode) => (): never => {
  throw new PingAuthError(code, { detail: 'what only the log may know' });
};

describe('the access phase', () => {
  it('permits what the policy permits, and keeps its state with the request', async () => {
    const instance = fakeInstance({ request: () => PERMIT });
    const gateway = fakeGateway();
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([
      { did: 'permit', log: { key: 'ping_auth', values: { decision: 'permit' } } },
    ]);
    const [deed] = gateway.deeds;
    expect(deed?.did === 'permit' && readRequestContext(deed.requestContext)).toMatchObject({
      kept: '"state":{"user":"joe"}',
      outcome: 'permit',
    });
    expect(instance.decisions).toMatchObject([
      { phase: 'access', outcome: 'permit', requestId: 'rid-1', routeId: 'route-1' },
    ]);
  });

  it('keeps the whole first payload when the answer has no state', async () => {
    const gateway = fakeGateway();
    const instance = fakeInstance({ request: () => ({ ...PERMIT, state: undefined }) });
    await accessPhase(instance, gateway, {});
    const [deed] = gateway.deeds;
    const kept = deed?.did === 'permit' ? readRequestContext(deed.requestContext).kept : '';
    expect(JSON.parse(`{${kept}}`)).toEqual({ request: instance.asked[0] });
  });

  it('gives the client what the policy denies with', async () => {
    const gateway = fakeGateway();
    await accessPhase(fakeInstance({ request: () => DENY }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 403 } }]);
  });

  it.each<[ErrorCode, number]>([
    ['provider_unreachable', 502],
    ['provider_timeout', 504],
    ['provider_answer_invalid', 502],
    ['directive_invalid', 502],
    ['provider_circuit_open', 503],
    ['internal_error', 500],
  ])('refuses on %s with %i and tells the client nothing of the inside', async (code, status) => {
    const gateway = fakeGateway();
    const instance = fakeInstance({ request: failing(code) });
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status } }]);
    const [deed] = gateway.deeds;
    const body = deed?.did === 'refuse' ? new TextDecoder().decode(deed.response.body) : '';
    expect(JSON.parse(body)).toMatchObject({ request_id: 'rid-1' });
    expect(body).not.toContain(code);
    expect(body).not.toContain('what only the log may know');
    expect(instance.decisions).toMatchObject([
      { outcome: 'refuse', code, detail: 'what only the log may know' },
    ]);
  });

  it("answers 502s with the admin's error_status, and leaves the others", async () => {
    for (const [code, status] of [
      ['provider_unreachable', 503] as const,
      ['provider_timeout', 504] as const,
    ]) {
      const gateway = fakeGateway();
      await accessPhase(fakeInstance({ config: { error_status: 503 }, request: failing(code) }), gateway, {});
      expect(gateway.deeds).toMatchObject([{ response: { status } }]);
    }
  });

  it('refuses everything when the configuration is invalid', async () => {
    const gateway = fakeGateway();
    const broken = { ...fakeInstance(), setup: new PingAuthError('config_invalid') };
    await accessPhase(broken, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 500 } }]);
  });

  it('refuses when the permit could only be half applied', async () => {
    const gateway = fakeGateway({ fails: ['permit'] });
    const instance = fakeInstance({ request: () => PERMIT });
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 500 } }]);
    expect(instance.decisions).toMatchObject([{ outcome: 'refuse', code: 'internal_error' }]);
  });

  it('fails loudly, never quietly, when even the refusal fails', async () => {
    const twice = fakeGateway({ fails: ['permit', 'refuse'] });
    await expect(accessPhase(fakeInstance({ request: () => PERMIT }), twice, {})).rejects.toThrow(
      'Kong failed at refuse',
    );
    expect(twice.deeds).toEqual([]);
  });

  it('answers nobody when Kong has given the event up, and does not come back as if permitted', async () => {
    const gateway = fakeGateway();
    const gone = fakeInstance({ request: failing('client_gone') });
    await expect(accessPhase(gone, gateway, { over: true })).rejects.toMatchObject({ code: 'client_gone' });
    expect(gateway.deeds).toEqual([]);
  });
});

describe('an event that Kong has given up', () => {
  const over = Object.assign(new Error('the connection was closed'), { code: 'ERR_EVENT_OVER' });

  it('ends as client_gone, whatever call to Kong was on its way', async () => {
    const reading = () => {
      throw toPingAuthError(over);
    };
    const instance = fakeInstance({ request: () => PERMIT });
    await expect(accessPhase(instance, fakeGateway({ reading }), { over: true })).rejects.toThrow();
    const gateway = fakeGateway();
    const permit = () => Promise.reject(over);
    await expect(accessPhase(instance, { ...gateway, permit }, { over: true })).rejects.toThrow();
    expect(instance.decisions).toMatchObject([
      { outcome: 'refuse', code: 'client_gone' },
      { outcome: 'refuse', code: 'client_gone' },
    ]);
    expect(gateway.deeds).toEqual([]);
  });
});

describe('fail_open_request', () => {
  const config = { fail_open_request: true };

  it('lets a request through, marked, when the provider cannot be reached', async () => {
    const gateway = fakeGateway();
    await accessPhase(fakeInstance({ config, request: failing('provider_unreachable') }), gateway, {});
    expect(gateway.deeds).toMatchObject([
      { did: 'permit', changes: { headers: { 'x-ping-auth': 'fail-open' } } },
    ]);
  });

  it.each<ErrorCode>([
    'provider_rate_limited',
    'provider_payload_too_large',
    'provider_rejected',
    'provider_secret_refused',
    'provider_no_endpoint',
    'provider_answer_invalid',
    'provider_answer_too_large',
    'provider_not_json',
    'provider_queue_full',
    'provider_unexpected_status',
    'provider_tls_failed',
    'provider_connection_lost',
    'provider_timeout',
    'provider_failing',
    'provider_circuit_open',
    'server_overloaded',
    'directive_invalid',
    'internal_error',
    'client_gone',
  ])('does not apply to %s, which a client or a wrong answer may cause', async (code) => {
    const gateway = fakeGateway();
    await accessPhase(fakeInstance({ config, request: failing(code) }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse' }]);
  });

  it('applies to a provider that was reached and failed only with fail_open_scope: unavailable', async () => {
    const widened = { ...config, fail_open_scope: 'unavailable' };
    for (const code of ['provider_connection_lost', 'provider_timeout', 'provider_failing'] as const) {
      const gateway = fakeGateway();
      await accessPhase(fakeInstance({ config: widened, request: failing(code) }), gateway, {});
      expect(gateway.deeds).toMatchObject([{ did: 'permit' }]);
    }
    const gateway = fakeGateway();
    await accessPhase(fakeInstance({ config: widened, request: failing('server_overloaded') }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse' }]);
  });

  it('does not apply to a request that is refused before the policy is asked', async () => {
    const headers = HeaderList.from(Array.from({ length: 1000 }, (_, n) => [`x-${n}`, '1'] as const));
    const gateway = fakeGateway({ reading: () => ({ request: { ...REQUEST, headers } }) });
    await accessPhase(fakeInstance({ config, request: failing('provider_unreachable') }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 431 } }]);
  });
});

describe('max_request_context_bytes', () => {
  const config = { max_request_context_bytes: 20_000 };
  const body = Buffer.from('x'.repeat(20_000));
  const reading = () => ({ request: { ...REQUEST, method: 'POST', body } });
  const asked = (state: string | undefined): RequestAnswer => ({
    ...PERMIT,
    method: 'POST',
    body: body.toString(),
    state,
  });

  it('refuses a request that Kong would have to keep, and says what to do', async () => {
    const instance = fakeInstance({ config, request: () => asked(undefined) });
    const gateway = fakeGateway({ reading });
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 413 } }]);
    expect(instance.decisions).toMatchObject([
      { outcome: 'refuse', code: 'request_context_too_large', detail: expect.stringContaining('20000') },
    ]);
    expect(instance.budget.held).toBe(0);
  });

  it('lets it through when the policy returns state, or the limit is large enough', async () => {
    for (const options of [
      { config, request: () => asked('1') },
      { config: { max_request_context_bytes: 30_000 }, request: () => asked(undefined) },
    ]) {
      const gateway = fakeGateway({ reading });
      await accessPhase(fakeInstance(options), gateway, {});
      expect(gateway.deeds).toMatchObject([{ did: 'permit' }]);
    }
  });

  it('counts bytes, not characters', async () => {
    const text = '\u20ac'.repeat(7000);
    const gateway = fakeGateway({
      reading: () => ({ request: { ...REQUEST, method: 'POST', body: Buffer.from(text) } }),
    });
    const request = () => ({ ...asked(undefined), body: text }) as RequestAnswer;
    await accessPhase(fakeInstance({ config, request }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 413 } }]);
  });

  it('blames the policy for a state that is too large', async () => {
    const gateway = fakeGateway({ reading });
    await accessPhase(fakeInstance({ config, request: () => asked(`"${'s'.repeat(20_000)}"`) }), gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 502 } }]);
  });

  it('holds for a request that would fail open', async () => {
    const instance = fakeInstance({
      config: { ...config, fail_open_request: true },
      request: failing('provider_unreachable'),
    });
    const gateway = fakeGateway({ reading });
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 413 } }]);
    expect(instance.decisions).toMatchObject([{ code: 'request_context_too_large' }]);
  });

  it('refuses nothing in monitor mode, and keeps nothing', async () => {
    const instance = fakeInstance({
      config: { ...config, mode: 'monitor' },
      request: () => asked(undefined),
    });
    const gateway = fakeGateway({ reading });
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'permit', requestContext: NOT_EVALUATED }]);
    expect(instance.decisions).toMatchObject([
      { outcome: 'monitor_refuse', code: 'request_context_too_large' },
    ]);
  });
});

describe('a compressed body', () => {
  const body = gzipSync('{"a":1}');
  const fields: (readonly [string, string])[] = [
    ...REQUEST.headers,
    ['content-encoding', 'gzip'],
    ['digest', 'x'],
  ];
  const reading = () => ({ request: { ...REQUEST, method: 'POST', headers: HeaderList.from(fields), body } });
  const answer = { ...PERMIT, method: 'POST', headers: fields, body: '{"a":1}' };
  const changesIn = async (config: Record<string, unknown>, request: () => RequestAnswer = () => answer) => {
    const instance = fakeInstance({ config, request });
    const gateway = fakeGateway({ reading });
    await accessPhase(instance, gateway, {});
    const [deed] = gateway.deeds;
    if (deed?.did !== 'permit') throw new Error('not permitted');
    return { changes: deed.changes, decisions: instance.decisions };
  };

  it('goes on decoded when it is permitted unchanged, which is no change of the policy', async () => {
    const { changes, decisions } = await changesIn({});
    expect(Buffer.from(changes.body ?? []).toString()).toBe('{"a":1}');
    expect(headerParts(changes.headers).remove).toEqual(['content-encoding', 'digest']);
    expect(decisions).toMatchObject([{ outcome: 'permit', changed: [] }]);
  });

  it('goes on decoded when it fails open: an outage gives the upstream no other bytes to read', async () => {
    const { changes } = await changesIn({ fail_open_request: true }, failing('provider_unreachable'));
    expect(Buffer.from(changes.body ?? []).toString()).toBe('{"a":1}');
    expect(headerParts(changes.headers).remove).toEqual(['content-encoding', 'digest']);
  });

  it.each([{ mode: 'monitor' }, { encoded_request_bodies: 'forward' }])(
    'goes on as it came with %j',
    async (config) => {
      const { changes } = await changesIn(config);
      expect([changes.body, headerParts(changes.headers).remove]).toEqual([undefined, []]);
    },
  );
});

describe('mode monitor', () => {
  const config = { mode: 'monitor' };

  it.each([
    ['a deny', () => DENY, 'monitor_deny'],
    ['an error', failing('provider_unreachable'), 'monitor_refuse'],
    ['a change', () => ({ ...PERMIT, headers: [['x-new', '1'] as const] }), 'monitor_change'],
  ])('changes nothing on %s and logs what it would have done', async (_name, request, outcome) => {
    const gateway = fakeGateway();
    const instance = fakeInstance({ config, request });
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'permit', changes: { body: undefined, path: undefined } }]);
    const [deed] = gateway.deeds;
    expect(deed?.did === 'permit' && deed.changes.headers).toEqual({});
    expect(instance.decisions).toMatchObject([{ outcome }]);
  });
});

describe('a secret that the provider refuses', () => {
  it('is asked for anew from Kong as often as the host allows, and otherwise refused', async () => {
    const instance = fakeInstance({ request: failing('provider_secret_refused') });
    const gateway = fakeGateway();
    await accessPhase(instance, gateway, { requestRestart: async () => true });
    expect(gateway.deeds).toEqual([]);
    expect(instance.decisions).toEqual([]);
    await accessPhase(instance, gateway, { requestRestart: async () => false });
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', response: { status: 502 } }]);
  });
});
