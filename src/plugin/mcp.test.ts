// What both phases do on a route to an MCP server; the rules themselves are tested in src/mcp/.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { text } from '../../test/model/messages.js';
import {
  accessPhase,
  type Deed,
  type FakeInstanceOptions,
  fakeGateway,
  fakeInstance,
  HOST,
  REQUEST,
  responsePhase,
} from '../../test/support/fake-instance.js';
import { applyResponseChanges } from '../directives/apply.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from '../exchange/header-list.js';
import type { HttpRequest, HttpResponse } from '../exchange/http-message.js';
import { readMemo, UNASKED } from '../exchange/memo.js';
import type { RequestAnswer, RequestPayload, ResponsePayload } from '../exchange/sideband-message.js';

const CALL = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'echo', arguments: { a: 1 } } };
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"secret"}]}}';
const JSON_TYPE: HeaderField = ['content-type', 'application/json'];
const STREAM_TYPE: HeaderField = ['content-type', 'text/event-stream'];

const post = (message: unknown, headers: readonly HeaderField[] = []): HttpRequest => ({
  ...REQUEST,
  method: 'POST',
  headers: HeaderList.from([...REQUEST.headers, JSON_TYPE, ...headers]),
  body: Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)),
});
const without = (method: string): HttpRequest => ({ ...REQUEST, method });
const deny =
  (status: number, headers: readonly HeaderField[] = []): (() => RequestAnswer) =>
  () => ({
    kind: 'deny',
    response: {
      responseCode: String(status),
      headers: [JSON_TYPE, ...headers],
      body: '{"code":"NO","message":"Ask a person."}',
    },
  });
const failing = (code: ErrorCode) => (): never => {
  throw new PingAuthError(code);
};

type Change<P> = (shown: P) => Partial<P>;

/** One access phase; without an answer of its own the policy permits, with these changes. */
async function access(
  request: HttpRequest,
  { change = () => ({}), ...options }: FakeInstanceOptions & { change?: Change<RequestPayload> } = {},
) {
  const instance = fakeInstance({
    request: (): RequestAnswer => {
      const shown = instance.asked.at(-1) as RequestPayload;
      const { method, url, headers, body } = { ...shown, ...change(shown) };
      const fields = headers.flatMap((pair) => Object.entries(pair));
      const rest = { sourceIp: undefined, sourcePort: undefined, clientCertificate: undefined };
      return { kind: 'permit', method, url, headers: fields, body, state: undefined, ...rest };
    },
    ...options,
    config: { mcp: true, ...options.config },
  });
  const gateway = fakeGateway({ reading: () => ({ request }) });
  await accessPhase(instance, gateway, {});
  return { deed: onlyOne(gateway.deeds), asked: instance.asked, decision: instance.decisions[0] };
}

/** The response phase after an access phase that permitted; what the client gets is in `sent`. */
async function respond(
  response: HttpResponse,
  {
    change = () => ({}),
    request = post(CALL),
    memo,
    ...options
  }: Omit<FakeInstanceOptions, 'request'> & {
    change?: Change<ResponsePayload>;
    readonly memo?: string;
    readonly request?: HttpRequest;
  } = {},
) {
  const { deed } = await access(request);
  const kept = memo ?? (deed.did === 'permit' ? deed.memo : '');
  const instance = fakeInstance({
    response: () => {
      const shown = instance.asked.at(-1) as ResponsePayload;
      const { response_code, headers, body } = { ...shown, ...change(shown) };
      return { responseCode: response_code, headers: headers.flatMap((pair) => Object.entries(pair)), body };
    },
    ...options,
    config: { mcp: true, ...options.config },
  });
  const gateway = fakeGateway({ response, memo: kept });
  await responsePhase(instance, gateway, {});
  const done = onlyOne(gateway.deeds);
  const sent = done.did === 'filter' ? applyResponseChanges(response, done.changes, 'POST') : undefined;
  return { deed: done, sent, asked: instance.asked as ResponsePayload[], decision: instance.decisions[0] };
}

function onlyOne(deeds: readonly Deed[]): Deed {
  const [deed, ...others] = deeds;
  if (deed === undefined || others.length > 0) throw new Error(`${deeds.length} deeds`);
  return deed;
}
const response = (
  body: string | Uint8Array,
  headers: readonly HeaderField[] = [JSON_TYPE],
  status = 200,
) => ({
  status,
  headers: HeaderList.from(headers),
  body: Buffer.from(body),
});
const stream = (...messages: string[]) =>
  messages.map((data) => `event: message\ndata: ${data}\n\n`).join('');
/** Status and JSON of a refusal. */
const refusal = (deed: Deed) =>
  deed.did === 'refuse' || deed.did === 'withhold'
    ? [deed.response.status, JSON.parse(text(deed.response.body) ?? '')]
    : [deed.did];
const shownHeader = (payload: unknown, name: string) =>
  (payload as RequestPayload).headers.flatMap((pair) => (name in pair ? [pair[name]] : []));

describe('a message in the access phase', () => {
  it('is shown with the headers that say what it is, which do not go on', async () => {
    const { deed, asked, decision } = await access(post(CALL));
    expect(shownHeader(asked[0], 'mcp-method')).toEqual(['tools/call']);
    expect(shownHeader(asked[0], 'mcp-name')).toEqual(['echo']);
    expect(deed).toMatchObject({
      did: 'permit',
      changes: { headers: { set: new Map(), remove: [] }, body: undefined },
      log: { values: { decision: 'permit', mcp_method: 'tools/call', mcp_name: 'echo' } },
    });
    expect(deed.did === 'permit' && readMemo(deed.memo).mcp).toEqual({
      id: 7,
      method: 'tools/call',
      name: 'echo',
    });
    expect(decision?.mcp).toMatchObject({ method: 'tools/call', name: 'echo' });
  });

  it.each<[string, HttpRequest, unknown[]]>([
    ['a batch', post([CALL]), [400, -32600, undefined]],
    ['a member twice', post('{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}'), [400, -32700, undefined]],
    ['Name', post({ ...CALL, params: { name: 'a', Name: 'b' } }), [400, -32600, 7]],
    ['Latin-1', { ...post(''), body: Buffer.from('{"a":"\xe9"}', 'latin1') }, [400, 400, undefined]],
    ['another Mcp-Name', post(CALL, [['mcp-name', 'other']]), [400, -32020, 7]],
    ['GET', without('GET'), [405, -32600, undefined]],
    ['a subscription', post({ ...CALL, method: 'subscriptions/listen' }), [404, -32601, 7]],
    ['HTTP/2', { ...post(CALL), httpVersion: '2' }, [400, 400, undefined]],
  ])('is refused in JSON-RPC before anybody is asked: %s', async (_what, request, wanted) => {
    const { deed, asked } = await access(request);
    const [status, body] = refusal(deed);
    expect([status, body.error.code, body.id]).toEqual(wanted);
    expect(asked).toEqual([]);
  });

  it('is refused when its body is not shown, whatever the limits say', async () => {
    const config = { max_request_body_bytes: 10, request_body_over_limit: 'omit' };
    const { deed, asked } = await access(post(CALL), { config });
    expect([refusal(deed)[0], asked]).toEqual([400, []]);
    const types = await access(post(CALL), { config: { body_content_types: ['text/*'] } });
    expect([refusal(types.deed)[0], types.asked]).toEqual([400, []]);
  });

  it('is never let through unread by fail-open', async () => {
    const config = { fail_open_request: true };
    const down = { config, request: failing('provider_unreachable') };
    expect((await access(post([CALL]), down)).deed.did).toBe('refuse');
    expect((await access(post(CALL), down)).deed).toMatchObject({
      did: 'permit',
      changes: { body: undefined },
    });
  });

  it('is denied as a JSON-RPC error, but where HTTP means something', async () => {
    const { deed, decision } = await access(post(CALL), { request: deny(403) });
    expect(refusal(deed)).toEqual([
      200,
      { jsonrpc: '2.0', id: 7, error: { code: 403, message: 'Ask a person.', data: { status: 403 } } },
    ]);
    expect(decision).toMatchObject({ outcome: 'deny', status: 403 });
    const http = async (request: HttpRequest, options: FakeInstanceOptions) =>
      refusal((await access(request, options)).deed)[0];
    expect(await http(post(CALL), { request: deny(401) })).toBe(401);
    expect(await http(post(CALL), { request: deny(403, [['www-authenticate', 'Bearer']]) })).toBe(403);
    expect(await http(post({ ...CALL, id: undefined }), { request: deny(403) })).toBe(403);
    expect(await http(without('DELETE'), { request: deny(403) })).toBe(403);
    expect(await http(post(CALL), { request: deny(403), config: { mcp_denials: 'http' } })).toBe(403);
  });

  it('is refused with its id when the policy cannot be asked', async () => {
    const { deed } = await access(post(CALL), { request: failing('provider_unreachable') });
    expect(refusal(deed)).toMatchObject([
      502,
      { id: 7, error: { code: 502, data: { request_id: 'rid-1' } } },
    ]);
  });

  it('takes its header along when the policy changes the tool, and refuses what does not fit', async () => {
    const other = JSON.stringify({ ...CALL, params: { name: 'other' } });
    const change = () => ({ body: other });
    const made = await access(post(CALL), { change });
    expect(made.deed).toMatchObject({ did: 'permit', changes: { headers: { set: new Map() } } });
    const sent = await access(post(CALL, [['mcp-name', 'echo']]), { change });
    expect(sent.deed).toMatchObject({ changes: { headers: { set: new Map([['mcp-name', ['other']]]) } } });
    const alone = await access(post(CALL), {
      change: ({ headers }) => ({
        headers: headers.map((pair) => ('mcp-name' in pair ? { 'mcp-name': 'x' } : pair)),
      }),
    });
    expect([refusal(alone.deed)[0], alone.decision?.code]).toEqual([502, 'directive_invalid']);
    const erased = await access(post(CALL), { change: () => ({ body: '' }) });
    expect(erased.decision?.code).toBe('directive_invalid');
  });

  it('may be a GET where responses are not held back', async () => {
    const host = { ...HOST, phases: ['access'] };
    expect((await access(without('GET'), { host })).deed.did).toBe('permit');
    expect((await access(post([CALL]), { host })).deed.did).toBe('refuse');
  });

  it('passes in monitor mode, whatever it is', async () => {
    const config = { mode: 'monitor' };
    const { deed, decision } = await access(post([CALL]), { config });
    expect(deed).toMatchObject({ did: 'permit', memo: UNASKED });
    expect(decision).toMatchObject({ outcome: 'monitor_refuse', code: 'mcp_message_invalid' });
    const denied = await access(post(CALL), { config, request: deny(403) });
    expect([denied.deed.did, denied.decision?.outcome]).toEqual(['permit', 'monitor_deny']);
  });

  it('leaves no token in what Kong logs', async () => {
    const token = `eyJ${'a'.repeat(20)}.${'b'.repeat(20)}.c`;
    const uri = `https://files.example/?t=${token}&x=${'x'.repeat(3000)}`;
    const { deed } = await access(post({ ...CALL, method: 'resources/read', params: { uri } }));
    const name = String(deed.did === 'permit' && deed.log?.values.mcp_name);
    expect(name).not.toContain(token);
    expect(name.length).toBeLessThan(700);
  });
});

describe('the response to a message', () => {
  it('comes to the policy as JSON out of a stream, and so to the client', async () => {
    const note = '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}';
    const { sent, asked, decision, deed } = await respond(response(stream(note, RESULT), [STREAM_TYPE]));
    expect(asked[0]).toMatchObject({ response_code: '200', body: RESULT });
    expect(shownHeader(asked[0], 'content-type')).toEqual(['application/json']);
    expect([sent?.headers.get('content-type'), text(sent?.body)]).toEqual(['application/json', RESULT]);
    expect(decision).toMatchObject({ outcome: 'pass', mcp: { method: 'tools/call', name: 'echo' } });
    expect(deed).toMatchObject({ log: { key: 'ping_auth.response', values: { mcp_name: 'echo' } } });
  });

  it('goes out with what the policy made of it, a compressed one as well', async () => {
    const change = ({ body = '' }: ResponsePayload) => ({ body: body.replace('secret', '***') });
    const coding: HeaderField = ['content-encoding', 'gzip'];
    for (const upstream of [
      response(RESULT),
      response(stream(RESULT), [STREAM_TYPE]),
      response(gzipSync(stream(RESULT)), [STREAM_TYPE, coding, ['etag', '"1"']]),
    ]) {
      const { sent } = await respond(upstream, { change });
      expect(text(sent?.body)).toBe(RESULT.replace('secret', '***'));
      expect(sent?.headers.get('content-type')).toBe('application/json');
      for (const name of ['content-encoding', 'etag']) expect(sent?.headers.has(name)).toBe(false);
    }
  });

  it.each<[string, HttpResponse]>([
    ['another id', response(RESULT.replace('7', '8'))],
    ['two responses', response(stream(RESULT, RESULT), [STREAM_TYPE])],
    [
      'a question of the server',
      response(stream('{"jsonrpc":"2.0","id":1,"method":"roots/list"}'), [STREAM_TYPE]),
    ],
    ['a stream that is cut off', response(stream(RESULT).slice(0, -1), [STREAM_TYPE])],
    ['HTML', response('<p>', [['content-type', 'text/html']])],
    ['two content types', response(RESULT, [JSON_TYPE, JSON_TYPE])],
    ['a stream that is no UTF-8', response(Buffer.from([0x64, 0xff, 0xfe]), [STREAM_TYPE])],
    ['an unknown coding', response(RESULT, [JSON_TYPE, ['content-encoding', 'x-own']])],
  ])('is withheld unseen: %s', async (_what, upstream) => {
    for (const config of [{}, { opaque_bodies: 'allow_unreadable', response_body_over_limit: 'omit' }]) {
      const { deed, asked } = await respond(upstream, { config: { ...config, fail_open_response: true } });
      expect(deed.did).toBe('withhold');
      expect(refusal(deed)).toMatchObject([502, { id: 7 }]);
      expect(asked).toEqual([]);
    }
  });

  it('is withheld when it is too large to be shown, where others would be left out', async () => {
    const config = { max_response_body_bytes: 10, response_body_over_limit: 'omit' };
    for (const type of [JSON_TYPE, STREAM_TYPE]) {
      expect((await respond(response(stream(RESULT), [type]), { config })).deed.did).toBe('withhold');
    }
  });

  it.each<[string, HttpResponse]>([
    ['JSON', response(RESULT, [JSON_TYPE, ['content-length', '78'], ['set-cookie', 'a=1'], ['etag', '"1"']])],
    ['a stream', response(stream(RESULT), [STREAM_TYPE, ['set-cookie', 'a=1']])],
    [
      'compressed JSON',
      response(gzipSync(RESULT), [JSON_TYPE, ['content-encoding', 'gzip'], ['set-cookie', 'a=1']]),
    ],
  ])('is denied as a JSON-RPC error with nothing of it left: %s', async (_what, upstream) => {
    for (const body of [undefined, '{"message":"Not for you."}']) {
      const change = () => ({ response_code: '403', ...(body === undefined ? {} : { body }) });
      const { sent, decision, deed } = await respond(upstream, { change });
      const message = body === undefined ? 'Denied by the policy (403 Forbidden)' : 'Not for you.';
      expect([sent?.status, JSON.parse(text(sent?.body) ?? '')]).toEqual([
        200,
        { jsonrpc: '2.0', id: 7, error: { code: 403, message, data: { status: 403 } } },
      ]);
      expect(deed.did === 'filter' && [...deed.changes.headers.set.keys()]).not.toContain('content-length');
      expect(Object.fromEntries(sent?.headers ?? [])).toEqual({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'set-cookie': 'a=1',
        'content-length': String(sent?.body.length),
      });
      expect(decision).toMatchObject({ outcome: 'change', status: 403 });
    }
  });

  it('is denied over HTTP where HTTP means something or is wanted', async () => {
    const denied = async (code: string, options: Parameters<typeof respond>[1] = {}, upstream = RESULT) =>
      (
        await respond(response(stream(upstream), [STREAM_TYPE]), {
          change: () => ({ response_code: code, body: '{}' }),
          ...options,
        })
      ).sent?.status;
    expect(await denied('401')).toBe(401);
    expect(await denied('403', { config: { mcp_denials: 'http' } })).toBe(403);
    const notified = await respond(response('{}', [JSON_TYPE], 202), {
      request: post({ ...CALL, id: undefined }),
      change: () => ({ response_code: '403' }),
    });
    expect(notified.sent?.status).toBe(403);
  });

  it('that is an error of the server stays one', async () => {
    const error = '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}';
    const { deed, sent } = await respond(response(error, [JSON_TYPE], 404));
    expect([deed.did, sent?.status, text(sent?.body)]).toEqual(['filter', 404, error]);
  });

  it('stays as it came in monitor mode', async () => {
    const config = { mode: 'monitor' };
    const upstream = response(stream(RESULT), [STREAM_TYPE]);
    const change = () => ({ response_code: '403' });
    for (const [one, outcome] of [
      [upstream, 'monitor_change'],
      [response(stream(RESULT, RESULT), [STREAM_TYPE]), 'monitor_refuse'],
    ] as const) {
      const { sent, decision } = await respond(one, { config, change });
      expect(sent?.status).toBe(200);
      expect(text(sent?.body)).toBe(text(one.body));
      expect(decision?.outcome).toBe(outcome);
    }
  });

  it('stays as it came where fail_open_response says so, once it has been read', async () => {
    const { sent, decision } = await respond(response(stream(RESULT), [STREAM_TYPE]), {
      config: { fail_open_response: true },
      response: failing('provider_unreachable'),
    });
    expect([decision?.outcome, text(sent?.body)]).toEqual(['fail_open', stream(RESULT)]);
  });

  it('teaches which arguments stand in headers', async () => {
    const inputSchema = { properties: { region: { 'x-mcp-header': 'Region' } } };
    const list = { jsonrpc: '2.0', id: 7, result: { tools: [{ name: 'echo', inputSchema }] } };
    const asking = post({ ...CALL, method: 'tools/list', params: {} });
    const { deed } = await access(asking);
    const instance = fakeInstance({
      config: { mcp: true },
      request: deny(401),
      response: () => ({ responseCode: '200', headers: [JSON_TYPE], body: JSON.stringify(list) }),
    });
    const wrong = post(CALL, [['mcp-param-region', 'eu']]);
    const call = async () => {
      const gateway = fakeGateway({ reading: () => ({ request: wrong }) });
      await accessPhase(instance, gateway, {});
      return refusal(onlyOne(gateway.deeds))[0];
    };
    expect(await call()).toBe(401);
    const memo = deed.did === 'permit' ? deed.memo : undefined;
    const listed = fakeGateway({ memo, response: response(stream(JSON.stringify(list)), [STREAM_TYPE]) });
    await responsePhase(instance, listed, {});
    expect(await call()).toBe(400);
  });
});
