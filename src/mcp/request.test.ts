import { describe, expect, it } from 'vitest';
import { headerParts, headersFrom } from '../../test/model/decisions.js';
import { bytes } from '../../test/model/messages.js';
import type { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from '../http/headers.js';
import { encodeValue } from './headers.js';
import { McpError } from './message.js';
import { mcpHeaderChanges, readMcpRequest } from './request.js';

const JSON_TYPE: HeaderField = ['content-type', 'application/json'];
const VERSION = 'io.modelcontextprotocol/protocolVersion';

interface Parts {
  readonly http?: string;
  readonly headers?: readonly HeaderField[];
  readonly type?: readonly HeaderField[];
  readonly text?: string | undefined;
  readonly buffersResponses?: boolean;
}

function read({ http = 'POST', headers = [], type = [JSON_TYPE], buffersResponses = true, ...rest }: Parts) {
  const text = 'text' in rest ? rest.text : body({});
  return readMcpRequest(
    { method: http, headers: HeaderList.from([...type, ...headers]) },
    text,
    buffersResponses,
  );
}

/** The refusal's HTTP status, JSON-RPC code and id. */
function refused(parts: Parts): unknown[] {
  try {
    read(parts);
  } catch (error) {
    if (error instanceof McpError) return [error.entry.status, error.rpcCode, error.id];
    throw error;
  }
  return [];
}

function body({ method = 'tools/call', name = 'echo', version = '', ...more }: Record<string, unknown>) {
  const _meta = version === '' ? undefined : { [VERSION]: version };
  return JSON.stringify({ jsonrpc: '2.0', id: 7, method, params: { name, _meta }, ...more });
}

const shown = (parts: Parts) => {
  const headers = read(parts)?.headers;
  return [headers?.getAll('mcp-method'), headers?.getAll('mcp-name')];
};

describe('the HTTP request', () => {
  it('is POST with one message, or one without', () => {
    expect(read({})?.message).toMatchObject({ kind: 'request', id: 7, method: 'tools/call', name: 'echo' });
    for (const http of ['DELETE', 'OPTIONS']) expect(read({ http, text: '', type: [] })).toBeUndefined();
  });

  it('is not GET, but where streams pass', () => {
    expect(refused({ http: 'GET', text: '' })).toEqual([405, -32600, undefined]);
    expect(read({ http: 'GET', text: '', buffersResponses: false })).toBeUndefined();
    for (const http of ['HEAD', 'PUT', 'PATCH']) {
      expect(refused({ http, text: '', buffersResponses: false })[0]).toBe(405);
    }
  });

  it('has a body with POST only', () => {
    expect(refused({ text: '' })).toEqual([400, -32700, undefined]);
    for (const text of [body({}), undefined]) {
      expect(refused({ http: 'DELETE', text })).toEqual([400, -32600, undefined]);
      expect(refused({ http: 'GET', buffersResponses: false, text })[0]).toBe(400);
    }
  });

  it('is refused with a body that could not be read as text', () => {
    expect(refused({ text: undefined })).toEqual([400, -32700, undefined]);
  });

  it.each([
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/json;',
  ])('may be of type %s', (type) => {
    expect(read({ type: [['content-type', type]] })).toBeDefined();
  });

  it.each([
    'text/plain',
    'application/json; charset=utf-7',
    'application/json; charset=utf-16le',
    'application/json; charset=utf-8; charset=utf-7',
    'application/json, text/plain',
    'application/json-patch+json',
    'text/event-stream',
    '',
  ])('may not be of type %j', (type) => {
    expect(refused({ type: [['content-type', type]] })).toEqual([400, -32600, undefined]);
  });

  it('may not be of no type, or of two', () => {
    expect(refused({ type: [] })[0]).toBe(400);
    expect(refused({ type: [JSON_TYPE, JSON_TYPE] })[0]).toBe(400);
    expect(refused({ type: [JSON_TYPE, ['content_type', 'application/json; charset=utf-7']] })[0]).toBe(400);
  });

  it('carries no response of the client, and no broken message', () => {
    expect(refused({ text: '{"jsonrpc":"2.0","id":7,"result":{}}' })).toEqual([400, -32600, undefined]);
    expect(refused({ text: `[${body({})}]` })).toEqual([400, -32600, undefined]);
    expect(refused({ text: body({ jsonrpc: '1' }) })).toEqual([400, -32600, 7]);
    expect(refused({ text: '{"a":1,"a":1}' })).toEqual([400, -32700, undefined]);
  });

  it('does not open a subscription, but where streams pass', () => {
    const text = body({ method: 'subscriptions/listen', name: undefined });
    expect(refused({ text })).toEqual([404, -32601, 7]);
    expect(read({ text, buffersResponses: false })?.message.method).toBe('subscriptions/listen');
  });
});

describe('the headers', () => {
  const MODERN: readonly HeaderField[] = [
    ['mcp-protocol-version', '2026-07-28'],
    ['mcp-method', 'tools/call'],
    ['mcp-name', 'echo'],
  ];
  const modern = body({ version: '2026-07-28' });
  const without = (name: string) => MODERN.filter(([header]) => header !== name);
  const instead = (name: string, value: string): HeaderField[] => [...without(name), [name, value]];

  it('that agree pass, of every revision', () => {
    expect(read({ headers: MODERN, text: modern })).toBeDefined();
    expect(read({ headers: [['mcp-protocol-version', '2025-11-25']] })).toBeDefined();
    expect(read({ headers: [] })).toBeDefined();
    expect(read({ headers: [['mcp-method', 'tools/call']] })).toBeDefined();
  });

  it.each([
    ['another method', instead('mcp-method', 'tools/list')],
    ['a method in other case', instead('mcp-method', 'Tools/Call')],
    ['a method in base64', instead('mcp-method', `=?base64?${btoa('tools/call')}?=`)],
    ['another name', instead('mcp-name', 'delete_user')],
    ['a name in other case', instead('mcp-name', 'Echo')],
    ['another name in base64', instead('mcp-name', '=?base64?ZGVsZXRl?=')],
    ['an empty name', instead('mcp-name', '')],
    ['a base64 form in other case', instead('mcp-name', `=?BASE64?${btoa('echo')}?=`)],
    ['base64 with bits to spare', instead('mcp-name', '=?base64?ZWNobx==?=')],
    ['base64 without its padding', instead('mcp-name', '=?base64?ZWNobw?=')],
    ['base64 that is no text', instead('mcp-name', '=?base64?/w==?=')],
    ['another version', instead('mcp-protocol-version', '2026-07-29')],
    ['an earlier version', instead('mcp-protocol-version', '2025-11-25')],
    ['no version at all', without('mcp-protocol-version')],
    ['no method', without('mcp-method')],
    ['no name', without('mcp-name')],
    ['two methods', [...MODERN, ['mcp-method', 'tools/call']]],
    ['two names', [...MODERN, ['mcp-name', 'echo']]],
    ['two versions', [...MODERN, ['mcp-protocol-version', '2026-07-28']]],
    ['a name that CGI takes for it', [...MODERN, ['mcp_name', 'echo']]],
    ['only such a name', [...without('mcp-name'), ['mcp_name', 'echo']]],
  ] as [string, HeaderField[]][])('of 2026-07-28 are refused with %s', (_what, headers) => {
    expect(refused({ headers, text: modern })).toEqual([400, -32020, 7]);
  });

  it('are required by what the header says as by what the body says', () => {
    expect(refused({ headers: [['mcp-protocol-version', '2026-07-28']] })[1]).toBe(-32020);
    expect(refused({ headers: MODERN })[1]).toBe(-32020);
    expect(refused({ headers: [], text: modern })[1]).toBe(-32020);
    expect(refused({ headers: [['mcp-protocol-version', '2027-01-01']] })[1]).toBe(-32020);
    expect(refused({ headers: [['mcp-protocol-version', 'DRAFT-2027']] })[1]).toBe(-32020);
    expect(refused({ headers: [['mcp-protocol-version', '']] })[1]).toBe(-32020);
  });

  it('of earlier revisions must agree as well where they are sent', () => {
    expect(refused({ headers: [['mcp-name', 'other']] })).toEqual([400, -32020, 7]);
    expect(refused({ headers: [['mcp-method', 'ping']] })).toEqual([400, -32020, 7]);
  });

  it('may not name something of a method that has no name', () => {
    const text = body({ method: 'tools/list' });
    expect(refused({ headers: [['mcp-name', 'echo']], text })).toEqual([400, -32020, 7]);
  });

  it('are not required of notifications, but agree', () => {
    const text = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled' });
    expect(read({ headers: [['mcp-protocol-version', '2026-07-28']], text })).toBeDefined();
    expect(refused({ headers: [['mcp-method', 'ping']], text })).toEqual([400, -32020, undefined]);
  });

  it('speak of no message on a request without one', () => {
    for (const name of ['mcp-method', 'mcp-name', 'mcp_method']) {
      expect(refused({ http: 'DELETE', text: '', headers: [[name, 'x']] })).toEqual([400, -32020, undefined]);
    }
    const headers: HeaderField[] = [['mcp-protocol-version', '2025-11-25']];
    expect(read({ http: 'DELETE', text: '', headers })).toBeUndefined();
  });
});

describe('the policy is shown', () => {
  it('method and name, whatever the client sent', () => {
    expect(shown({})).toEqual([['tools/call'], ['echo']]);
    expect(shown({ headers: [['mcp-method', 'tools/call']] })).toEqual([['tools/call'], ['echo']]);
    expect(shown({ text: body({ method: 'tools/list' }) })).toEqual([['tools/list'], []]);
  });

  it('each name in one spelling only, so that no other one gets past a condition', () => {
    const plain = `=?base64?${btoa('echo')}?=`;
    expect(shown({ headers: [['mcp-name', plain]] })).toEqual([['tools/call'], ['echo']]);
    const encoded = '=?base64?bMO2c2NoZQ==?=';
    expect(shown({ text: body({ name: 'lösche' }) })).toEqual([['tools/call'], [encoded]]);
    expect(shown({ text: body({ name: 'lösche' }), headers: [['mcp-name', encoded]] })[1]).toEqual([encoded]);
  });

  it('all other headers as they are', () => {
    const headers: HeaderField[] = [
      ['x-a', '1'],
      ['mcp-session-id', 's'],
      ['mcp-param-region', 'r'],
    ];
    expect([...(read({ headers })?.headers ?? [])].slice(0, 4)).toEqual([JSON_TYPE, ...headers]);
  });

  it.each([
    ['us-west1', 'us-west1'],
    ['file:///a b', 'file:///a b'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['x\0', '=?base64?eAA=?='],
    ['x\n', '=?base64?eAo=?='],
  ])('%j as %s', (name, value) => {
    expect(encodeValue(name)).toBe(value);
    expect(shown({ text: body({ name }), headers: [['mcp-name', value]] })[1]).toEqual([value]);
  });
});

describe('what the policy changes', () => {
  type Change = { method?: string; set?: Record<string, string>; remove?: string[]; body?: string };

  function changesFor(change: Change, parts: Parts = {}) {
    const request = read(parts);
    if (request === undefined) throw new Error('there is a message');
    const client = HeaderList.from([JSON_TYPE, ...(parts.headers ?? [])]);
    const set = Object.entries(change.set ?? {}).map(([name, value]) => [name, [value]] as const);
    const headers = headersFrom(set, change.remove ?? []);
    const changes = mcpHeaderChanges(request, client, {
      method: change.method,
      headers,
      body: change.body === undefined ? undefined : bytes(change.body),
    });
    const { set: after, remove } = headerParts(changes);
    return { set: Object.fromEntries(after), remove };
  }
  const notAccepted = (change: Change, parts?: Parts) => {
    expect(() => changesFor(change, parts)).toThrow(
      expect.objectContaining({ code: 'directive_invalid' }) as PingAuthError,
    );
  };
  const sent: HeaderField[] = [
    ['mcp-method', 'tools/call'],
    ['mcp-name', 'echo'],
  ];

  it('of arguments or other headers goes on', () => {
    expect(changesFor({ set: { 'x-a': '1' }, remove: ['cookie'] })).toEqual({
      set: { 'x-a': ['1'] },
      remove: ['cookie'],
    });
    const changed = JSON.stringify({ ...JSON.parse(body({})), params: { name: 'echo', arguments: {} } });
    expect(changesFor({ body: changed }, { headers: sent })).toEqual({ set: {}, remove: [] });
  });

  it('of the tool is followed by a header that the client sent', () => {
    expect(changesFor({ body: body({ name: 'other' }) }, { headers: sent }).set).toEqual({
      'mcp-name': ['other'],
    });
    expect(changesFor({ body: body({ name: 'ö' }) }, { headers: sent }).set).toEqual({
      'mcp-name': ['=?base64?w7Y=?='],
    });
  });

  it('never sends on what was made for its eyes', () => {
    expect(changesFor({ body: body({ name: 'other' }) })).toEqual({ set: {}, remove: [] });
    expect(changesFor({ body: body({ name: 'other' }), set: { 'mcp-name': 'other' } }).set).toEqual({});
  });

  it('of a header alone is refused, sent or made', () => {
    notAccepted({ set: { 'mcp-name': 'other' } }, { headers: sent });
    notAccepted({ set: { 'mcp-name': 'other' } });
    notAccepted({ set: { 'mcp-method': 'tools/list' } });
    notAccepted({ set: { mcp_name: 'x' } });
    notAccepted({ set: { mcp_name: 'x' }, body: body({ name: 'other' }) }, { headers: sent });
    notAccepted({ set: { 'mcp-name': 'third' }, body: body({ name: 'other' }) }, { headers: sent });
  });

  it('may take away headers that no revision needs', () => {
    expect(changesFor({ remove: ['mcp-name'] }, { headers: sent }).remove).toEqual(['mcp-name']);
    expect(changesFor({ remove: ['mcp-name'], body: body({ name: 'other' }) }, { headers: sent })).toEqual({
      set: {},
      remove: ['mcp-name'],
    });
    const text = body({ version: '2026-07-28' });
    const headers: HeaderField[] = [...sent, ['mcp-protocol-version', '2026-07-28']];
    notAccepted({ remove: ['mcp-name'] }, { headers, text });
    notAccepted({ remove: ['mcp-protocol-version'] }, { headers, text });
  });

  it.each([
    ['the HTTP method', { method: 'GET' }],
    ['the id', { body: body({ id: 8 }) }],
    ['the kind of id', { body: body({ id: '7' }) }],
    ['the method', { body: body({ method: 'tools/list' }) }],
    ['a request to a notification', { body: body({ id: undefined }) }],
    ['a request to a response', { body: '{"jsonrpc":"2.0","id":7,"result":{}}' }],
    ['the body to nothing', { body: '' }],
    ['the body to what is read in two ways', { body: '{"jsonrpc":"2.0","id":7,"id":7,"method":"ping"}' }],
  ] as [string, Change][])('is refused when it is %s', (_what, change) => {
    notAccepted(change);
  });
});

describe('what ping-auth tells the policy about a call', () => {
  const about = (method: string, params: object, headers: readonly HeaderField[] = []) =>
    readMcpRequest(
      { method: 'POST', headers: HeaderList.from([['content-type', 'application/json'], ...headers]) },
      JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      true,
    )?.headers;

  it('is what is called, for the methods that do something', () => {
    for (const [method, params] of [
      ['tools/call', { name: 'x', arguments: { a: 1 } }],
      ['prompts/get', { name: 'x' }],
      ['resources/read', { uri: 'a:b' }],
    ] as const) {
      expect(about(method, params)?.getAll('mcp-arguments-digest')).toEqual([
        expect.stringMatching(/^sha-256=:[\w+/]{43}=:$/),
      ]);
    }
    expect(about('tools/list', {})?.has('mcp-arguments-digest')).toBe(false);
  });

  it('is that a person refused', () => {
    const params = { name: 'x', inputResponses: { 'ping-auth-approval': { action: 'decline' } } };
    expect(about('tools/call', params)?.getAll('mcp-approval-response')).toEqual(['decline']);
    expect(about('tools/call', { name: 'x' })?.has('mcp-approval-response')).toBe(false);
  });

  it.each([
    'mcp-arguments-digest',
    'Mcp-Arguments-Digest',
    'mcp_arguments_digest',
    'mcp-approval-response',
    'MCP_APPROVAL-RESPONSE',
  ])('does not come from a client: %s', (name) => {
    const refused = expect.objectContaining({ code: 'mcp_headers_disagree', rpcCode: -32020 });
    for (const method of ['tools/call', 'tools/list'])
      expect(() => about(method, { name: 'x' }, [[name, 'sha-256=:x:']])).toThrow(refused);
    const headers = HeaderList.from([[name, '']]);
    expect(() => readMcpRequest({ method: 'DELETE', headers }, '', true)).toThrow(refused);
  });

  it('stays here, whatever the policy makes of it', () => {
    const read = readMcpRequest(
      { method: 'POST', headers: HeaderList.from([['content-type', 'application/json']]) },
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } }),
      true,
    );
    if (read === undefined) throw new Error('no message');
    const names = ['mcp-arguments-digest', 'mcp_arguments_digest', 'mcp-approval-response', 'x-mine'];
    const headers = Object.fromEntries(names.map((name) => [name, '1']));
    const changed = { method: undefined, headers, body: undefined };
    expect(mcpHeaderChanges(read, HeaderList.empty, changed)).toEqual({ 'x-mine': '1' });
  });
});
