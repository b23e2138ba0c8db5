// What both phases do on a route to an MCP server; the rules themselves are tested in src/mcp/.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { text } from '../../test/model/messages.js';
import {
  CALL,
  errorResponse,
  failing,
  JSON_TYPE,
  post,
  RESULT,
  respond,
  response,
  STREAM_TYPE,
  shownHeader,
  stream,
} from '../../test/support/mcp-phases.js';
import type { HeaderField } from '../http/headers.js';
import type { HttpResponse } from '../http/message.js';
import type { ResponsePayload } from '../sideband/messages.js';

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
    const contentEncoding: HeaderField = ['content-encoding', 'gzip'];
    for (const upstream of [
      response(RESULT),
      response(stream(RESULT), [STREAM_TYPE]),
      response(gzipSync(stream(RESULT)), [STREAM_TYPE, contentEncoding, ['etag', '"1"']]),
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
      expect(errorResponse(deed)).toMatchObject([502, { id: 7 }]);
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
      expect(deed.did === 'filter' && Object.keys(deed.changes.headers)).not.toContain('content-length');
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
});
