import { describe, expect, it } from 'vitest';
import { fakeKong, GET_REQUEST } from '../../test/support/fake-kong.js';
import type { RequestChanges, ResponseChanges } from '../directives/decision.js';
import { HeaderList } from '../http/headers.js';
import type { ReadLimits } from './gateway.js';
import { KongGateway } from './kong-gateway.js';
import { RequestHeadReader } from './request-head.js';

const LIMITS: ReadLimits = { readBody: true, maxBodyBytes: 100, overLimit: 'reject', hostLimitsBody: true };
const NOTHING: RequestChanges = {
  method: undefined,
  path: undefined,
  query: undefined,
  host: undefined,
  headers: {},
  body: undefined,
};
const UNCHANGED: ResponseChanges = {
  status: undefined,
  headers: {},
  body: undefined,
};
const OK = { status: 200, headers: HeaderList.from([['x-up', '1']]), body: text('hello') };

describe('reading the request', () => {
  it('costs one round trip of at most twelve calls without a body', async () => {
    const heads = new RequestHeadReader();
    await heads.read(fakeKong(GET_REQUEST).kong);
    const fake = fakeKong(GET_REQUEST);
    const { request } = await new KongGateway(fake.kong, false, heads).readRequest(LIMITS);
    expect(fake.roundTrips).toHaveLength(1);
    expect(fake.calls.length).toBeLessThanOrEqual(12);
    expect(request.url).toEqual({
      scheme: 'http',
      host: 'api.example',
      port: 8000,
      path: '/things',
      query: 'x=1',
    });
    expect(request.headers.getAll('X-Two')).toEqual(['a', 'b']);
  });

  it.each([
    ['a body for which there is no memory', { 'kong.request.get_headers': { 'content-length': '9' } }],
    ['an HTTP version that nobody knows', { 'kong.request.get_http_version': 1.15 }],
    ['a body that cannot be read', { 'kong.request.get_headers': { 'transfer-encoding': 'chunked' } }],
  ])('tells the request id before it fails: %s', async (_case, replies) => {
    const ids: unknown[] = [];
    const owner = {
      identified: (id: unknown) => ids.push(id),
      memory: {
        grow() {
          throw new Error('no memory');
        },
        shrink() {},
      },
    };
    const fake = fakeKong({ ...GET_REQUEST, ...replies });
    await expect(new KongGateway(fake.kong, false).readRequest(LIMITS, owner)).rejects.toThrow();
    expect(ids).toEqual(['f386ef04c49c864b7cbe977b439cdb0e']);
  });

  describe('a request target that names another host than the Host header, by which Kong routes', () => {
    // GET http://public.example/things HTTP/1.1, Host: admin.example
    const headers = { host: 'admin.example', 'x-forwarded-host': 'public.example' };
    const fields = '192.0.2.7|40368|GET|http|public.example|8000|/things|x=1|HTTP/1.1||';
    const variable = ['ping-auth-1', ...fields.split('|')].join('\u001f');
    const target = {
      ...GET_REQUEST,
      'kong.request.get_host': 'public.example',
      'kong.request.get_forwarded_host': 'public.example',
      'kong.request.get_headers': headers,
    };

    it.each([
      ['read by calls', target],
      ['read by the nginx variable', { ...target, 'kong.nginx.get_var(ping_auth_request)': variable }],
    ])('is refused (%s)', async (_name, replies) => {
      const reading = new KongGateway(fakeKong(replies).kong, false).readRequest(LIMITS);
      await expect(reading).rejects.toMatchObject({ code: 'request_unreadable' });
    });

    it("is not mistaken for a trusted proxy's X-Forwarded-Host", async () => {
      const kong = { ...target, 'kong.request.get_host': 'admin.example' };
      const { request } = await new KongGateway(fakeKong(kong).kong, false).readRequest(LIMITS);
      expect(request.url.host).toBe('public.example');
    });
  });

  it.each([
    ['a Content-Length', { 'content-length': '5' }, 1.1],
    ['a Transfer-Encoding', { 'transfer-encoding': 'chunked' }, 1.1],
    ['HTTP/2, which needs neither', {}, 2],
  ])('reads the body for %s', async (_name, headers, version) => {
    const fake = fakeKong({
      ...GET_REQUEST,
      'kong.request.get_headers': headers,
      'kong.request.get_http_version': version,
      'kong.request.get_raw_body': text('hello'),
    });
    const { request } = await new KongGateway(fake.kong, false).readRequest(LIMITS);
    expect(request.body).toEqual(text('hello'));
  });

  it.each([undefined, text('hell')])(
    'refuses a body of which Kong gives less than was announced (%s)',
    async (body) => {
      const fake = fakeKong({
        ...GET_REQUEST,
        'kong.request.get_headers': { 'content-length': '5' },
        'kong.request.get_raw_body': body,
      });
      const reading = new KongGateway(fake.kong, false).readRequest(LIMITS);
      await expect(reading).rejects.toMatchObject({ code: 'internal_error' });
    },
  );

  it('does not ask for a body that the limit forbids, and refuses it', async () => {
    const fake = fakeKong({ ...GET_REQUEST, 'kong.request.get_headers': { 'content-length': '101' } });
    await expect(new KongGateway(fake.kong, false).readRequest(LIMITS)).rejects.toMatchObject({
      code: 'request_body_too_large',
    });
    expect(fake.calls.map(([method]) => method)).not.toContain('kong.request.get_raw_body');
  });

  it('refuses a chunked body that turns out too large, whether the host or the gateway notices', async () => {
    const chunked = { ...GET_REQUEST, 'kong.request.get_headers': { 'transfer-encoding': 'chunked' } };
    const tooLarge = Object.assign(new Error('body over the limit'), { code: 'ERR_BODY_TOO_LARGE' });
    for (const reply of [tooLarge, new Uint8Array(101)]) {
      const fake = fakeKong({ ...chunked, 'kong.request.get_raw_body': reply });
      await expect(new KongGateway(fake.kong, false).readRequest(LIMITS)).rejects.toMatchObject({
        code: 'request_body_too_large',
      });
    }
  });

  it('leaves a body unread, and says so, where the admin wants over-limit bodies omitted or none sent', async () => {
    const fake = fakeKong({ ...GET_REQUEST, 'kong.request.get_headers': { 'content-length': '101' } });
    const gateway = new KongGateway(fake.kong, false);
    expect((await gateway.readRequest({ ...LIMITS, overLimit: 'omit' })).unreadBody).toBe('too_large');
    expect((await gateway.readRequest({ ...LIMITS, readBody: false })).unreadBody).toBe('disabled');
  });

  it('refuses what it cannot describe to the policy instead of guessing', async () => {
    for (const [call, reply] of [
      ['kong.request.get_method', undefined],
      ['kong.request.get_forwarded_port', '8000'],
      ['kong.request.get_http_version', '1.1'],
      ['kong.request.get_headers', { 'x-a': { nested: 'table' } }],
    ] as const) {
      const fake = fakeKong({ ...GET_REQUEST, [call]: reply });
      await expect(new KongGateway(fake.kong, false).readRequest(LIMITS)).rejects.toMatchObject({
        code: 'internal_error',
        detail: expect.stringContaining(call),
      });
    }
  });

  it.each([0.9, 0, undefined])('refuses a client that speaks HTTP %s, which nginx takes', async (version) => {
    const fake = fakeKong({ ...GET_REQUEST, 'kong.request.get_http_version': version });
    await expect(new KongGateway(fake.kong, false).readRequest(LIMITS)).rejects.toMatchObject({
      code: 'request_unreadable',
      detail: 'HTTP version is none of 1.0, 1.1, 2',
    });
  });
});

describe('permitting the request', () => {
  it('writes nothing but the memo when the policy changed nothing', async () => {
    const fake = fakeKong();
    await new KongGateway(fake.kong, false).permit(NOTHING, 'memo');
    expect(fake.calls).toEqual([['kong.ctx.shared.set', 'ping_auth', 'memo']]);
  });

  it('sets and removes headers in one call, and keeps the memo last, all in one round trip', async () => {
    const fake = fakeKong();
    await new KongGateway(fake.kong, false).permit(
      {
        method: 'PUT',
        path: '/new',
        query: '',
        host: 'other.example',
        headers: { 'x-a': ['1', '2'], 'x-b': [] },
        body: text('new'),
      },
      'memo',
    );
    expect(fake.roundTrips).toHaveLength(1);
    expect(fake.calls).toEqual([
      ['kong.service.request.set_method', 'PUT'],
      ['kong.service.request.set_path', '/new'],
      ['kong.service.request.set_raw_query', ''],
      ['kong.service.request.set_headers', { 'x-b': [], 'x-a': ['1', '2'], host: 'other.example' }],
      ['kong.service.request.set_raw_body', text('new')],
      ['kong.ctx.shared.set', 'ping_auth', 'memo'],
    ]);
  });
});

describe('filtering the response', () => {
  it('calls nothing when nothing changed', async () => {
    const fake = fakeKong();
    await new KongGateway(fake.kong, false).filter(OK, UNCHANGED);
    expect(fake.calls).toEqual([]);
  });

  it('changes status and headers where they stand, without an exit', async () => {
    const fake = fakeKong();
    await new KongGateway(fake.kong, false).filter(OK, {
      status: 403,
      headers: { 'x-new': '1', 'x-up': [] },
      body: undefined,
    });
    expect(fake.calls).toEqual([
      ['kong.response.clear_header', 'x-up'],
      ['kong.response.set_status', 403],
      ['kong.response.set_headers', { 'x-new': '1' }],
    ]);
  });

  it('exits for a new body, after the removed headers were cleared', async () => {
    const fake = fakeKong();
    await new KongGateway(fake.kong, false).filter(OK, {
      status: undefined,
      headers: { 'x-new': '1', 'x-up': [] },
      body: text('filtered'),
    });
    expect(fake.calls).toEqual([
      ['kong.response.clear_header', 'x-up'],
      ['kong.response.exit', 200, text('filtered'), { 'x-new': '1' }],
    ]);
  });

  it('exits when a bodiless upstream answer gets another status, since Kong would hang', async () => {
    const fake = fakeKong();
    const noContent = { ...OK, status: 204, body: text('') };
    await new KongGateway(fake.kong, false).filter(noContent, { ...UNCHANGED, status: 200 });
    expect(fake.calls).toEqual([['kong.response.exit', 200, text(''), {}]]);
  });

  it('leaves the mark for the guard last, and none with an exit', async () => {
    const marked = fakeKong();
    await new KongGateway(marked.kong, true).filter(OK, { ...UNCHANGED, status: 201 });
    expect(marked.calls.at(-1)).toEqual(['kong.ctx.shared.set', 'ping_auth_response', '1']);
    const exited = fakeKong();
    await new KongGateway(exited.kong, true).filter(OK, { ...UNCHANGED, body: text('x') });
    expect(exited.calls.map(([method]) => method)).toEqual(['kong.response.exit']);
  });
});

describe('withholding the response', () => {
  const errorResponse = {
    status: 502,
    headers: HeaderList.from([['content-type', 'application/json']]),
    body: text('{}'),
  };

  it('clears every upstream header, its Date too, before it exits', async () => {
    const fake = fakeKong({
      'kong.response.get_headers': {
        'set-cookie': ['a=1', 'b=2'],
        etag: '"e1"',
        'content-length': '5',
        date: 'now',
      },
    });
    await new KongGateway(fake.kong, false).withhold(errorResponse);
    expect(fake.calls.slice(1)).toEqual([
      ['kong.response.clear_header', 'set-cookie'],
      ['kong.response.clear_header', 'etag'],
      ['kong.response.clear_header', 'date'],
      ['kong.response.exit', 502, text('{}'), { 'content-type': 'application/json' }],
    ]);
  });

  it('looks again as long as Kong shows a full list, and never exits over headers it has not seen', async () => {
    const full = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`x-${n}`, '1']));
    let reads = 0;
    const fake = fakeKong({ 'kong.response.get_headers': () => (reads++ === 0 ? full : { 'x-last': '1' }) });
    await new KongGateway(fake.kong, false).withhold(errorResponse);
    expect(fake.calls.filter(([method]) => method === 'kong.response.clear_header')).toHaveLength(1001);
    const endless = fakeKong({ 'kong.response.get_headers': full });
    await expect(new KongGateway(endless.kong, false).withhold(errorResponse)).rejects.toThrow(
      'could not be cleared',
    );
  });
});

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

describe('the mark by which the guard tells an exit that was asked for from a 500 of Kong', () => {
  const names = (calls: readonly (readonly unknown[])[]) =>
    calls.map(([method, key]) => `${method} ${key ?? ''}`);
  const MARK = 'kong.ctx.shared.set ping_auth_exit';

  it('stands right before an exit with 500 in the response phase, and nowhere else', async () => {
    const withheld = fakeKong({ 'kong.response.get_headers': { 'x-up': '1' } });
    await new KongGateway(withheld.kong, false).withhold({
      status: 500,
      headers: HeaderList.empty,
      body: text(''),
    });
    expect(names(withheld.calls).slice(-2)).toEqual([MARK, 'kong.response.exit 500']);

    const filtered = fakeKong();
    const changes = { ...UNCHANGED, status: 500, body: text('policy') };
    await new KongGateway(filtered.kong, false).filter(OK, changes);
    expect(names(filtered.calls).slice(-2)).toEqual([MARK, 'kong.response.exit 500']);

    const cookies = { 'set-cookie': 'policy=1', 'x-up': [] };
    const replaced = fakeKong();
    await new KongGateway(replaced.kong, false).filter(OK, { ...changes, headers: cookies });
    expect(names(replaced.calls)).toEqual([
      'kong.response.clear_header x-up',
      'kong.response.clear_header set-cookie',
      MARK,
      'kong.response.exit 500',
    ]);
    const other = fakeKong({ 'kong.response.get_headers': {} });
    await new KongGateway(other.kong, false).withhold({
      status: 502,
      headers: HeaderList.empty,
      body: text(''),
    });
    expect(names(other.calls)).not.toContain(MARK);
    const refused = fakeKong();
    await new KongGateway(refused.kong, false).refuse({
      status: 500,
      headers: HeaderList.empty,
      body: text(''),
    });
    expect(names(refused.calls)).not.toContain(MARK);
  });

  it('a line for the log of Kong goes out before the exit', async () => {
    const { kong, calls } = fakeKong();
    const line = { level: 'err', text: 'ping-auth: provider_timeout r: …' } as const;
    const log = { key: 'ping_auth', values: { decision: 'refuse' }, line };
    await new KongGateway(kong, false).refuse(
      { status: 504, headers: HeaderList.empty, body: text('') },
      log,
    );
    expect(names(calls)).toEqual([
      'kong.log.set_serialize_value ping_auth',
      'kong.log.err ping-auth: provider_timeout r: …',
      'kong.response.exit 504',
    ]);
  });
});
