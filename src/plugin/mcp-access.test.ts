import { describe, expect, it } from 'vitest';
import { type FakeInstanceOptions, HOST } from '../../test/support/fake-instance.js';
import {
  access,
  CALL,
  deny,
  errorResponse,
  failing,
  post,
  shownHeader,
  without,
} from '../../test/support/mcp-phases.js';
import type { HttpRequest } from '../http/message.js';
import { NOT_EVALUATED, readRequestContext } from '../sideband/request-context.js';

describe('a message in the access phase', () => {
  it('is shown with the headers that say what it is, which do not go on', async () => {
    const { deed, asked, decision } = await access(post(CALL));
    expect(shownHeader(asked[0], 'mcp-method')).toEqual(['tools/call']);
    expect(shownHeader(asked[0], 'mcp-name')).toEqual(['echo']);
    expect(deed).toMatchObject({
      did: 'permit',
      changes: { headers: {}, body: undefined },
      log: { values: { decision: 'permit', mcp_method: 'tools/call', mcp_name: 'echo' } },
    });
    expect(deed.did === 'permit' && deed.changes.headers).toEqual({});
    expect(deed.did === 'permit' && readRequestContext(deed.requestContext).mcp).toEqual({
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
    const [status, body] = errorResponse(deed);
    expect([status, body.error.code, body.id]).toEqual(wanted);
    expect(asked).toEqual([]);
  });

  it('is refused when its body is not shown, whatever the limits say', async () => {
    const config = { max_request_body_bytes: 10, request_body_over_limit: 'omit' };
    const { deed, asked } = await access(post(CALL), { config });
    expect([errorResponse(deed)[0], asked]).toEqual([400, []]);
    const types = await access(post(CALL), { config: { body_content_types: ['text/*'] } });
    expect([errorResponse(types.deed)[0], types.asked]).toEqual([400, []]);
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
    expect(errorResponse(deed)).toEqual([
      200,
      { jsonrpc: '2.0', id: 7, error: { code: 403, message: 'Ask a person.', data: { status: 403 } } },
    ]);
    expect(decision).toMatchObject({ outcome: 'deny', status: 403 });
    const http = async (request: HttpRequest, options: FakeInstanceOptions) =>
      errorResponse((await access(request, options)).deed)[0];
    expect(await http(post(CALL), { request: deny(401) })).toBe(401);
    expect(await http(post(CALL), { request: deny(403, [['www-authenticate', 'Bearer']]) })).toBe(403);
    expect(await http(post({ ...CALL, id: undefined }), { request: deny(403) })).toBe(403);
    expect(await http(without('DELETE'), { request: deny(403) })).toBe(403);
    expect(await http(post(CALL), { request: deny(403), config: { mcp_denials: 'http' } })).toBe(403);
  });

  it('is refused with its id when the policy cannot be asked', async () => {
    const { deed } = await access(post(CALL), { request: failing('provider_unreachable') });
    expect(errorResponse(deed)).toMatchObject([
      502,
      { id: 7, error: { code: 502, data: { request_id: 'rid-1' } } },
    ]);
  });

  it('takes its header along when the policy changes the tool, and refuses what does not fit', async () => {
    const other = JSON.stringify({ ...CALL, params: { name: 'other' } });
    const change = () => ({ body: other });
    const made = await access(post(CALL), { change });
    expect(made.deed.did === 'permit' && made.deed.changes.headers).toEqual({});
    const sent = await access(post(CALL, [['mcp-name', 'echo']]), { change });
    expect(sent.deed).toMatchObject({ changes: { headers: { 'mcp-name': 'other' } } });
    const alone = await access(post(CALL), {
      change: ({ headers }) => ({
        headers: headers.map((pair) => ('mcp-name' in pair ? { 'mcp-name': 'x' } : pair)),
      }),
    });
    expect([errorResponse(alone.deed)[0], alone.decision?.code]).toEqual([502, 'directive_invalid']);
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
    expect(deed).toMatchObject({ did: 'permit', requestContext: NOT_EVALUATED });
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
