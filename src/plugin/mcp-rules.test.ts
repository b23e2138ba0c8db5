// What holds on a route to an MCP server whatever the policy decides: origins, caching, where the metadata is.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { text } from '../../test/model/messages.js';
import {
  access,
  CALL,
  deny,
  errorResponse,
  failing,
  JSON_TYPE,
  post,
  respond,
  response,
  STREAM_TYPE,
  stream,
  without,
} from '../../test/support/mcp-phases.js';
import { type HeaderField, HeaderList } from '../http/headers.js';
import type { HttpRequest, HttpResponse } from '../http/message.js';

const LIST = post({ ...CALL, method: 'tools/list', params: {} });
const result = (hints: string) => `{"jsonrpc":"2.0","id":7,"result":{"tools":[],${hints}}}`;
const PUBLIC = result('"ttlMs":300000,"cacheScope":"public"');
const PRIVATE = result('"ttlMs":300000,"cacheScope":"private"');
const GZIP: HeaderField = ['content-encoding', 'gzip'];
const CACHED: HeaderField = ['cache-control', 'public, max-age=600'];

describe('a result with caching hints', () => {
  it.each<[string, HttpResponse]>([
    ['JSON', response(PUBLIC, [JSON_TYPE, CACHED, ['etag', '"1"']])],
    ['compressed JSON', response(gzipSync(PUBLIC), [JSON_TYPE, CACHED, GZIP])],
    ['a stream', response(stream(PUBLIC), [STREAM_TYPE, CACHED])],
    ['a compressed stream', response(gzipSync(stream(PUBLIC)), [STREAM_TYPE, CACHED, GZIP])],
  ])('is private, whatever the policy did: %s', async (_what, upstream) => {
    const untouched = await respond(upstream, { request: LIST });
    expect(untouched.decision?.outcome).toBe('pass');
    const denied = { change: () => ({ body: PUBLIC.replace('[]', '[{"name":"a"}]') }) };
    const changed = await respond(upstream, { request: LIST, ...denied });
    const down = { config: { fail_open_response: true }, response: failing('provider_unreachable') };
    const unfiltered = await respond(upstream, { request: LIST, ...down });
    for (const { sent } of [untouched, changed, unfiltered]) {
      expect(text(sent?.body)?.replace('{"name":"a"}', '')).toBe(PRIVATE);
      expect(sent?.headers.getAll('cache-control')).toEqual(['no-store']);
      for (const name of ['content-encoding', 'etag']) expect(sent?.headers.has(name)).toBe(false);
    }
    // The policy is shown what the server sent.
    expect(untouched.asked[0]?.body).toBe(PUBLIC);
  });

  it('stays private when the policy makes it public', async () => {
    const { sent } = await respond(response(PRIVATE), {
      request: LIST,
      change: () => ({
        body: PUBLIC,
        headers: [{ 'content-type': 'application/json' }, { 'cache-control': 'public' }],
      }),
    });
    expect(text(sent?.body)).toBe(PRIVATE);
    expect(sent?.headers.getAll('cache-control')).toEqual(['no-store']);
  });

  it('lives no longer than mcp_max_ttl_ms', async () => {
    for (const ttl of [0, 60_000]) {
      const config = { mcp_max_ttl_ms: ttl };
      const { sent } = await respond(response(stream(PUBLIC), [STREAM_TYPE]), { request: LIST, config });
      expect(text(sent?.body)).toBe(result(`"ttlMs":${ttl},"cacheScope":"private"`));
    }
  });

  it('stays as it came in monitor mode and without mcp', async () => {
    for (const config of [{ mode: 'monitor' }, { mcp: false }]) {
      const { sent } = await respond(response(PUBLIC, [JSON_TYPE, CACHED]), { request: LIST, config });
      expect(text(sent?.body)).toBe(PUBLIC);
      expect(sent?.headers.get('cache-control')).toBe(CACHED[1]);
    }
  });
});

it.each<[string, HttpRequest, HeaderField[], string | undefined]>([
  ['a list', LIST, [], 'no-store'],
  ['a call with a caching header', post(CALL), [['expires', '0']], 'no-store'],
  ['a call that is public', post(CALL), [CACHED], 'no-store'],
  ['a call that is not stored', post(CALL), [['cache-control', 'no-store']], 'no-store'],
  // Nobody may store that (RFC 9110, section 9.3.3).
  ['a call without one', post(CALL), [], undefined],
])(
  'the response to %s keeps its bytes without hints, and is not stored',
  async (_what, request, headers, wanted) => {
    const body = gzipSync('{"jsonrpc":"2.0","id":7,"result":{}}');
    const { deed, sent } = await respond(response(body, [JSON_TYPE, GZIP, ...headers]), { request });
    expect(deed.did === 'filter' && deed.changes.body).toBeUndefined();
    expect(sent?.headers.get('content-encoding')).toBe('gzip');
    expect(sent?.headers.get('cache-control')).toBe(wanted);
  },
);

describe('a request with an Origin', () => {
  const config = { mcp_allowed_origins: ['https://app.example', 'https://*.agents.example'] };
  const from = (request: HttpRequest, ...origins: string[]): HttpRequest => ({
    ...request,
    headers: HeaderList.from([
      ...request.headers,
      ...origins.map((origin): HeaderField => ['origin', origin]),
    ]),
  });

  it.each<[string, HttpRequest]>([
    ['a call', post(CALL)],
    ['a batch', post([CALL])],
    ['no JSON', post('{')],
    ['DELETE', without('DELETE')],
    ['OPTIONS', without('OPTIONS')],
    ['GET', without('GET')],
  ])('that is not listed is refused before anybody is asked: %s', async (_what, request) => {
    for (const origins of [
      ['https://evil.example'],
      ['null'],
      ['https://app.example', 'https://evil.example'],
    ]) {
      const { deed, asked, decision } = await access(from(request, ...origins), { config });
      expect(errorResponse(deed)).toMatchObject([403, { jsonrpc: '2.0', error: { code: -32600 } }]);
      expect([asked, decision?.code]).toEqual([[], 'mcp_origin_not_allowed']);
    }
  });

  it('is never let through by fail-open, and is in monitor mode', async () => {
    const request = from(post(CALL), 'https://evil.example');
    const down = { request: failing('provider_unreachable') };
    const open = await access(request, { ...down, config: { ...config, fail_open_request: true } });
    expect(open.deed.did).toBe('refuse');
    const monitored = await access(request, { config: { ...config, mode: 'monitor' } });
    expect(monitored).toMatchObject({ deed: { did: 'permit' }, decision: { outcome: 'monitor_refuse' } });
  });

  it('that is listed, or where none is, is for the policy to decide', async () => {
    for (const origin of ['https://app.example', 'https://a.agents.example']) {
      expect((await access(from(post(CALL), origin), { config })).deed.did).toBe('permit');
    }
    expect((await access(post(CALL), { config })).deed.did).toBe('permit');
    expect((await access(from(post(CALL), 'https://evil.example'))).asked).toHaveLength(1);
    const plain = await access(from(post(CALL), 'https://evil.example'), {
      config: { ...config, mcp: false },
    });
    expect(plain.deed.did).toBe('permit');
  });
});

describe('where the metadata is', () => {
  const url = 'https://gw.example/.well-known/oauth-protected-resource/mcp';
  const config = { mcp_resource_metadata_url: url };
  const challengeOf = async (request: HttpRequest, status: number, headers: readonly HeaderField[] = []) => {
    const { deed } = await access(request, { config, request: deny(status, headers) });
    return deed.did === 'refuse' && [deed.response.status, deed.response.headers.getAll('www-authenticate')];
  };

  it('stands in a denial that asks for a token', async () => {
    const bearer = `Bearer resource_metadata="${url}"`;
    const scope = 'error="insufficient_scope", scope="admin"';
    for (const request of [post(CALL), without('DELETE'), post({ ...CALL, id: undefined })]) {
      expect(await challengeOf(request, 401)).toEqual([401, [bearer]]);
      expect(await challengeOf(request, 403, [['WWW-Authenticate', `Bearer ${scope}`]])).toEqual([
        403,
        [`${bearer}, ${scope}`],
      ]);
    }
    // A denial for the agent is none.
    expect(await challengeOf(post(CALL), 403)).toEqual([200, []]);
  });

  it('stands in a challenge of the server or of the response phase', async () => {
    const challenge: HeaderField = ['www-authenticate', 'Bearer'];
    const own = await respond(response('', [challenge], 401), { config });
    expect(own.sent?.headers.getAll('www-authenticate')).toEqual([`Bearer resource_metadata="${url}"`]);
    // In Kong's form of a single value.
    expect(own.deed.did === 'filter' && own.deed.changes.headers['www-authenticate']).toBe(
      `Bearer resource_metadata="${url}"`,
    );
    const made = await respond(response('{"jsonrpc":"2.0","id":7,"result":{}}'), {
      config,
      change: () => ({ response_code: '401' }),
    });
    expect([made.sent?.status, made.sent?.headers.getAll('www-authenticate')]).toEqual([
      401,
      [`Bearer resource_metadata="${url}"`],
    ]);
    expect((await respond(response('', [challenge], 401))).sent?.headers.get('www-authenticate')).toBe(
      'Bearer',
    );
  });
});
