import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ClientResponse, sendRequest } from '../http-client.js';
import type { RuleInput } from './rules.js';
import { type PolicyProvider, startPolicyProvider } from './server.js';

const SECRET = 'test-secret-of-the-provider';
const request = {
  source_ip: '127.0.0.1',
  source_port: 1,
  method: 'POST',
  url: 'http://api.test:80/v1/people/7?keep=a%2Fb&drop=1&drop=2',
  http_version: '1.1',
  headers: [{ host: 'api.test' }, { 'x-a': '1' }, { 'x-a': '2' }, { 'x-id': 'seven' }],
  body: '{"name":"Ada","ssn":"1","kids":[{"ssn":"2","age":3}]}',
};
const response = {
  method: 'POST',
  url: request.url,
  http_version: '1.1',
  response_code: '200',
  response_status: 'OK',
  headers: [{ 'set-cookie': 'a=1' }, { 'set-cookie': 'b=2' }, { 'x-internal': 'host' }],
  body: 'all of it',
};

let provider: PolicyProvider;
beforeAll(async () => {
  provider = await startPolicyProvider({ secret: SECRET, maxPayloadBytes: 10_000 });
});
afterAll(() => provider.close());
beforeEach(() => {
  provider.setRules([]);
  provider.clear();
});

describe('calls that are not decisions', () => {
  it.each([
    ['a wrong secret', { token: 'wrong' }, 401, 'The Gateway Token is invalid'],
    ['no secret', { token: undefined }, 401, 'The Gateway Token is invalid'],
    ['another path', { path: '/sideband/other' }, 404, 'nothing at /sideband/other'],
    ['a doubled slash', { path: '//sideband/request' }, 404, 'nothing at'],
    ['another method', { method: 'PUT' }, 405, 'Only POST'],
    ['another media type', { type: 'text/plain' }, 415, 'application/json'],
    ['a malformed payload', { payload: { ...request, headers: {} } }, 400, 'headers is not an array'],
    ['too much', { payload: { ...request, body: 'x'.repeat(10_000) } }, 413, 'over the limit'],
  ])('%s', async (_, overrides, status, message) => {
    const answer = await call({ payload: request, ...overrides });
    expect(answer.status).toBe(status);
    expect(answer.json()).toEqual({
      id: expect.any(String),
      code: expect.stringMatching(/^[A-Z_]+$/),
      message: expect.stringContaining(message),
    });
    expect(provider.requests).toMatchObject([{ decision: 'rejected', status }]);
  });
});

describe('decisions', () => {
  it('permits what no rule matches and gives all of it back', async () => {
    expect((await call({ payload: request })).json()).toEqual(request);
    const answer = await call({ path: '/sideband/response', payload: { ...response, state: 1 } });
    expect(answer.json()).toEqual({
      http_version: '1.1',
      response_code: '200',
      response_status: 'OK',
      headers: response.headers,
      body: 'all of it',
    });
    expect(provider.requests.map((seen) => seen.decision)).toEqual(['permit', 'answer']);
  });

  it('takes a service_url with a path of its own', async () => {
    expect((await call({ path: '/tenant/7/sideband/request?x=1', payload: request })).status).toBe(200);
  });

  it('denies with status, repeated headers and a body that may quote the request', async () => {
    provider.setRules([
      {
        name: 'no',
        match: { method: ['PUT', 'POST'], path: '/v1/*/7', header: { 'X-A': '2', 'x-none': null } },
        deny: {
          status: 403,
          headers: { 'set-cookie': ['a=1', 'b=2'] },
          body: 'not {{header.x-id}} at {{path}}',
        },
      },
    ]);
    expect((await call({ payload: request })).json()).toMatchObject({
      response: {
        response_code: 403,
        response_status: 'Forbidden',
        headers: [{ 'set-cookie': 'a=1' }, { 'set-cookie': 'b=2' }],
        body: 'not seven at /v1/people/7',
      },
    });
  });

  it('changes what it is told to and nothing else', async () => {
    provider.setRules([
      {
        name: 'change',
        change: {
          method: 'PATCH',
          query: { remove: ['drop'], set: { who: 'a b' } },
          headers: { set: { 'x-id': 'eight' }, add: { 'x-a': '3' }, remove: ['host'] },
          strip: ['kids.ssn', 'ssn'],
        },
        state: { id: '{{header.x-id}}', whole: '{{json.kids}}' },
      },
    ]);
    expect((await call({ payload: request })).json()).toEqual({
      ...request,
      method: 'PATCH',
      url: 'http://api.test:80/v1/people/7?keep=a%2Fb&who=a%20b',
      headers: [{ 'x-a': '1' }, { 'x-a': '2' }, { 'x-id': 'eight' }, { 'x-a': '3' }],
      body: '{"name":"Ada","kids":[{"age":3}]}',
      state: { id: 'seven', whole: [{ ssn: '2', age: 3 }] },
    });
  });

  const forbid: RuleInput['rewrite'] = {
    status: 403,
    headers: { remove: ['x-internal'], set: { 'x-for': '{{state.id}}{{request.header.x-id}}' } },
    body: 'no',
  };
  it.each([
    ['state', { match: { state: { id: 7 } } }, { state: { id: 7, more: 1 } }, '7'],
    ['request', { match: { request: { header: { 'x-id': 'sev*' } } } }, { request }, 'seven'],
  ])('rewrites a response from what %s knew', async (_, match, extra, marked) => {
    provider.setRules([{ name: 'forbid', ...match, rewrite: forbid }]);
    const answer = await call({ path: '/sideband/response', payload: { ...response, ...extra } });
    expect(answer.json()).toEqual({
      http_version: '1.1',
      response_code: '403',
      response_status: 'Forbidden',
      headers: [{ 'set-cookie': 'a=1' }, { 'set-cookie': 'b=2' }, { 'x-for': marked }],
      body: 'no',
    });
    const other = await call({ path: '/sideband/response', payload: { ...response, state: { id: 8 } } });
    expect(other.json()).toMatchObject({ response_code: '200' });
  });

  it('applies a rule so many times, and rules in order until one ends it', async () => {
    provider.setRules([
      { name: 'second', skip: 1, times: 1, error: { status: 500 } },
      { name: 'mark', change: { headers: { set: { 'x-m': '1' } } } },
      { name: 'mark more', change: { headers: { set: { 'x-m': '2' } } } },
    ]);
    const statuses = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await call({ payload: request })).status);
    expect(statuses).toEqual([200, 500, 200]);
    expect(provider.requests.map((seen) => seen.rules)).toEqual([
      ['mark', 'mark more'],
      ['second'],
      ['mark', 'mark more'],
    ]);
    expect(provider.requests[0]?.answer).toMatchObject({ headers: expect.arrayContaining([{ 'x-m': '2' }]) });
    expect(provider.requests[0]?.answer).not.toMatchObject({
      headers: expect.arrayContaining([{ 'x-m': '1' }]),
    });
  });
});

describe('misbehaviour', () => {
  it('429 in all forms of Retry-After', async () => {
    provider.setRules([
      { name: 's', times: 1, error: { status: 429, retry_after: 7, code: 'LIMIT_EXCEEDED' } },
      { name: 'd', times: 1, error: { status: 429, retry_after_date_in_s: 60 } },
      { name: 'n', error: { status: 429 } },
    ]);
    expect((await call({ payload: request })).header('retry-after')).toBe('7');
    const date = Date.parse((await call({ payload: request })).header('retry-after') ?? '');
    expect(date - Date.now()).toBeGreaterThan(50_000);
    expect((await call({ payload: request })).header('retry-after')).toBeUndefined();
  });

  it('answers that are nearly right', async () => {
    provider.setRules([{ name: 'lie', lie: { set: { headers: { a: 'b' } }, remove: ['method'] } }]);
    const { method: _, ...rest } = request;
    expect((await call({ payload: request })).json()).toEqual({ ...rest, headers: { a: 'b' } });
  });

  it('anything verbatim: HTML, a redirect, half JSON, an interim answer, binary', async () => {
    const raw = async (rule: RuleInput['raw']) => {
      provider.setRules([{ name: 'raw', raw: rule }]);
      return call({ payload: request });
    };
    expect((await raw({ headers: [['Content-Type', 'text/html']], body: '<html>' })).text()).toBe('<html>');
    expect((await raw({ status: 302, headers: [['Location', 'http://x/']] })).header('location')).toBe(
      'http://x/',
    );
    expect((await raw({ body: '{"method":' })).text()).toBe('{"method":');
    expect((await raw({ interim: [103], body: 'late' })).text()).toBe('late');
    expect((await raw({ base64: '/w==' })).body).toEqual(Buffer.from([0xff]));
    expect((await raw({ status: 204 })).status).toBe(204);
    expect((await raw({ fill_bytes: 3_000_000 })).body.length).toBe(3_000_000);
  });

  it.each([
    ['start', 'reset', /ECONNRESET|socket hang up/],
    ['head', 'reset', /ECONNRESET|socket hang up|aborted/],
    ['body', 'reset', /ECONNRESET|aborted/],
    ['start', 'close', /socket hang up/],
    ['body', 'close', /aborted/],
    ['start', 'hang', /in time/],
    ['head', 'hang', /in time/],
    ['body', 'hang', /in time/],
  ] as const)('stops in the %s with a %s', async (at, how, message) => {
    provider.setRules([{ name: 'stop', deliver: { stop: { at, how } } }]);
    await expect(call({ payload: request, timeoutMs: how === 'hang' ? 300 : 5000 })).rejects.toThrow(message);
  });

  it('endless headers and an endless body', async () => {
    provider.setRules([{ name: 'endless', times: 1, raw: { endless: 'headers' } }]);
    await expect(call({ payload: request })).rejects.toThrow(/overflow/i);
    expect(provider.requests).toHaveLength(1);
  });

  it('byte by byte, still right in the end', async () => {
    provider.setRules([{ name: 'slow', deliver: { pace: { bytes: 100, every_ms: 1 } } }]);
    expect((await call({ payload: request })).json()).toEqual(request);
  });
});

it('rules that cannot be understood are refused with the place', async () => {
  await expect(startPolicyProvider({ rules: [{ name: 'x', deny: {} }] as never })).rejects.toThrow(
    /rules\[0\]\.deny/,
  );
});

interface TestCall {
  readonly path?: string;
  readonly method?: string;
  readonly type?: string;
  readonly token?: string | undefined;
  readonly payload: unknown;
  readonly timeoutMs?: number;
}

function call(options: TestCall): Promise<ClientResponse> {
  const token = 'token' in options ? options.token : SECRET;
  return sendRequest(provider.url, {
    method: options.method ?? 'POST',
    path: options.path ?? '/sideband/request',
    ca: provider.ca,
    headers: [
      ['Content-Type', options.type ?? 'application/json'],
      ...(token === undefined ? [] : [['CLIENT-TOKEN', token] as const]),
    ],
    body: JSON.stringify(options.payload),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
}
