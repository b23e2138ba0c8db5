import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  aRequest,
  bytes,
  deny,
  echo,
  type Permit,
  permit,
  type RequestShowSettings,
  SHOW_ALL,
  showRequest,
  text,
} from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderField } from '../exchange/header-list.js';
import type { HttpRequest } from '../exchange/http-message.js';
import type { RequestAnswer } from '../exchange/sideband-message.js';
import { applyRequestChanges } from './apply.js';
import { describeChanges, isUnchanged, type RequestChanges, type RequestDecision } from './decision.js';
import { decideRequest } from './request-decision.js';

function decide(
  answer: RequestAnswer,
  request: HttpRequest,
  settings: Partial<RequestShowSettings> = {},
): RequestDecision {
  return decideRequest(answer, request, showRequest(request, { ...SHOW_ALL, ...settings }));
}

function changesOf(
  request: HttpRequest,
  change: Partial<Omit<Permit, 'kind'>>,
  settings?: Partial<RequestShowSettings>,
): RequestChanges {
  const decision = decide(permit(request, change), request, settings);
  if (decision.kind !== 'permit') throw new Error('denied');
  return decision.changes;
}

function notesOf(request: HttpRequest, change: Partial<Omit<Permit, 'kind'>>): string[] {
  return decide(permit(request, change), request).notes.map(({ what, name }) => `${what} ${name}`);
}

function errorOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof PingAuthError) return `${error.code}: ${error.detail}`;
    throw error;
  }
  return 'no error';
}

/** `{"a":"é"}`, as it may come. */
const CODED = [
  [gzipSync('{"a":"é"}'), ['content-type', 'application/json'], ['content-encoding', 'gzip']],
  [Buffer.from('{"a":"é"}', 'latin1'), ['content-type', 'text/plain; charset=iso-8859-1']],
  [Buffer.from('{"a":"é"}', 'utf16le'), ['content-type', 'text/plain; charset=utf-16']],
] as const satisfies readonly [Uint8Array, ...HeaderField[]][];

const without = (request: HttpRequest, ...names: string[]): HeaderField[] =>
  echo(request.headers).filter(([name]) => !names.includes(name));
const plus = (request: HttpRequest, ...fields: HeaderField[]): HeaderField[] => [
  ...echo(request.headers),
  ...fields,
];

describe('a permit that echoes the request', () => {
  it.each([
    ['a plain one', aRequest()],
    [
      'one with repeated headers',
      aRequest({
        headers: [
          ['x-a', '1'],
          ['x-b', '2'],
          ['x-a', '3'],
        ],
      }),
    ],
    [
      'Latin-1 bytes in a header',
      aRequest({
        headers: [
          ['x-l', 'caf\udce9'],
          ['x-u', 'café'],
        ],
      }),
    ],
    ['a raw query', aRequest({ url: { query: 'x=%&y=%zz&q=\udce9|"' } })],
    ['no query', aRequest({ url: { query: undefined } })],
    ['a body', aRequest({ method: 'POST', body: '\ufeff{"a":"é😀\\u0000"}' })],
    [
      'hop-by-hop headers',
      aRequest({
        headers: [
          ['connection', 'close, te, x-hop'],
          ['te', 'trailers'],
        ],
      }),
    ],
    [
      'a tab around a value',
      aRequest({
        headers: [
          ['x-tab', '\ttab\t'],
          ['x-empty', ''],
        ],
      }),
    ],
  ])('changes nothing: %s', (_case, request) => {
    const changes = changesOf(request, {});
    expect(describeChanges(changes)).toEqual([]);
    expect(isUnchanged(changes)).toBe(true);
  });

  it('changes nothing when the provider writes the same path another way', () => {
    const request = aRequest({ url: { path: '/caf%C3%A9/a%2Fb' } });
    const url = 'https://API.example:8443/caf%c3%a9//x/../%61%2fb?id=7';
    expect(describeChanges(changesOf(request, { url }))).toEqual([]);
  });

  it('leaves binary bodies alone, whatever the provider says about them', () => {
    const body = Uint8Array.from({ length: 256 }, (_, i) => i);
    const headers: HeaderField[] = [['content-type', 'application/octet-stream']];
    const request = aRequest({ method: 'POST', headers, body });
    expect(changesOf(request, { body: undefined }).body).toBeUndefined();
    expect(changesOf(request, { body: '' }).body).toBeUndefined();
  });

  it('leaves the bytes of a compressed or foreign text alone when the provider gives back the text', () => {
    for (const [body, ...headers] of CODED) {
      const request = aRequest({ method: 'POST', headers, body });
      expect(describeChanges(changesOf(request, { body: '{"a":"é"}' }))).toEqual([]);
    }
  });

  it('hands on state as it is, null included', () => {
    for (const state of ['null', '{"a": [1]}', '"x"', 'false', undefined]) {
      expect(decide(permit(aRequest(), { state }), aRequest())).toMatchObject({ state });
    }
  });
});

describe('method, URL and Host', () => {
  const request = aRequest({ url: { path: '/v1/users', query: 'id=7' } });
  const url = (rest: string) => ({ url: `https://api.example:8443${rest}` });

  it('are changed where they differ', () => {
    expect(changesOf(request, { method: 'POST' }).method).toBe('POST');
    expect(changesOf(request, url('/v2/users?id=7'))).toMatchObject({ path: '/v2/users', query: undefined });
    expect(changesOf(request, url('/v1/users?id=8&x'))).toMatchObject({ path: undefined, query: 'id=8&x' });
  });

  it('loses the query when the answer has none', () => {
    expect(changesOf(request, url('/v1/users')).query).toBe('');
    expect(changesOf(request, url('/v1/users?')).query).toBe('');
  });

  it('escapes a new path and query like Kong', () => {
    expect(changesOf(request, url('/é/[x]{y}?q=é|'))).toMatchObject({
      path: '/%C3%A9/[x]%7By%7D',
      query: 'q=%C3%A9%7C',
    });
  });

  it.each(['FOO', 'get', 'TRACE', 'CONNECT', '', 'GET\r\nX: 1'])('refuses the method %j', (method) => {
    expect(errorOf(() => decide(permit(request, { method }), request))).toMatch(/^directive_invalid: method/);
  });

  it('refuses to make HEAD of a request, or something else of HEAD: the client would hang or read a body too many', () => {
    const head = aRequest({ method: 'HEAD' });
    expect(errorOf(() => decide(permit(request, { method: 'HEAD' }), request))).toMatch(
      /^directive_invalid: method/,
    );
    expect(errorOf(() => decide(permit(head, { method: 'GET' }), head))).toMatch(
      /^directive_invalid: method/,
    );
  });

  it.each(['/v1/../admin?id=7', '/v1/%2e%2e/admin', '/v1/a b', '/v1#x', '/v1\\x', '/v1/%zz', '/v1\r\n'])(
    'refuses the path %j',
    (path) => {
      expect(errorOf(() => decide(permit(request, url(path)), request))).toMatch(/^directive_invalid: url/);
    },
  );

  it.each([
    ['the host of the URL', { url: 'https://inner.example:8443/v1/users?id=7' }, 'inner.example'],
    ['and a port of its own', { url: 'https://inner.example:9000/v1/users?id=7' }, 'inner.example:9000'],
    ['but not a default one', { url: 'https://inner.example:443/v1/users?id=7' }, 'inner.example'],
    ['the Host header', { headers: [['Host', 'inner.example:77']] as HeaderField[] }, 'inner.example:77'],
  ])('sends another Host for %s', (_case, change, host) => {
    expect(changesOf(request, change).host).toBe(host);
  });

  it('keeps the Host when nobody changed it, and when the answer has none', () => {
    expect(changesOf(request, { headers: [['HOST', 'API.example:8443']] }).host).toBeUndefined();
    expect(changesOf(request, { headers: [] })).toMatchObject({ host: undefined, headers: { remove: [] } });
    expect(changesOf(request, { url: 'https://api.example/v1/users?id=7' }).host).toBeUndefined();
  });

  it('takes the header of two that agree, and refuses two that do not', () => {
    const change = {
      url: 'https://inner.example/v1/users?id=7',
      headers: [['host', 'INNER.example:77']] as HeaderField[],
    };
    expect(changesOf(request, change).host).toBe('INNER.example:77');
    const disagreeing = { ...change, headers: [['host', 'other.example']] as HeaderField[] };
    expect(errorOf(() => decide(permit(request, disagreeing), request))).toMatch(
      /^directive_invalid: url and the Host/,
    );
  });

  it.each(['', 'a b', 'a/b', 'u@h', 'h:0', 'h:x', 'h\r\nX: 1'])('refuses the Host %j', (host) => {
    const headers: HeaderField[] = [['host', host]];
    expect(errorOf(() => decide(permit(request, { headers }), request))).toMatch(
      /^directive_invalid: header host/,
    );
  });

  it('refuses several Host headers', () => {
    const headers: HeaderField[] = [
      ['host', 'a.example'],
      ['Host', 'b.example'],
    ];
    expect(errorOf(() => decide(permit(request, { headers }), request))).toMatch(/several Host headers/);
  });

  it('notes what cannot be changed, and goes on', () => {
    const change = {
      url: 'http://api.example:8443/v1/users?id=7',
      sourceIp: '10.0.0.1',
      sourcePort: '1',
      clientCertificate: {},
    };
    expect(notesOf(request, change)).toEqual([
      'unchangeable_field scheme',
      'unchangeable_field source_ip',
      'unchangeable_field source_port',
      'unchangeable_field client_certificate',
    ]);
    expect(notesOf(request, { sourceIp: '192.0.2.7', sourcePort: '40001', clientCertificate: null })).toEqual(
      [],
    );
  });
});

describe('headers', () => {
  const request = aRequest({
    headers: [
      ['x-a', '1'],
      ['x-list', 'caf\udce9'],
      ['x-list', 'two'],
      ['accept', '*/*'],
    ],
  });

  it('are added, changed, removed', () => {
    const headers: HeaderField[] = [
      ...without(request, 'x-a', 'accept'),
      ['X-A', 'new'],
      ['X-New', '1'],
      ['x-new', '2'],
    ];
    const { set, remove } = changesOf(request, { headers }).headers;
    expect([...set]).toEqual([
      ['x-a', ['new']],
      ['x-new', ['1', '2']],
    ]);
    expect(remove).toEqual(['accept']);
  });

  it('keep the bytes of the values that stay when one of several changes', () => {
    const headers = plus(request, ['x-list', 'three']);
    expect(changesOf(request, { headers }).headers.set.get('x-list')).toEqual(['caf\udce9', 'two', 'three']);
    const shorter: HeaderField[] = [...without(request, 'x-list'), ['x-list', 'café']];
    expect(changesOf(request, { headers: shorter }).headers.set.get('x-list')).toEqual(['caf\udce9']);
  });

  it('after the hundredth are removed too', () => {
    const many = Array.from({ length: 150 }, (_, i): HeaderField => [`x-${i}`, '1']);
    const big = aRequest({ headers: many });
    expect(changesOf(big, { headers: without(big, 'x-121') }).headers.remove).toEqual(['x-121']);
  });

  it('never bring Accept-Encoding upstream, whoever wants it', () => {
    const client = aRequest({
      headers: [
        ['accept-encoding', 'gzip'],
        ['accept_encoding', 'br'],
      ],
    });
    expect(changesOf(client, {}).headers).toEqual({
      set: new Map(),
      remove: ['accept-encoding', 'accept_encoding'],
    });
    expect(
      changesOf(aRequest(), { headers: plus(aRequest(), ['Accept-Encoding', 'gzip']) }).headers.set.size,
    ).toBe(0);
  });

  it("never let a client's X-Ping-Auth pass, nor the policy's", () => {
    const client = aRequest({
      headers: [
        ['x-ping-auth', 'fail-open'],
        ['x_ping_auth', 'fail-open'],
      ],
    });
    expect(changesOf(client, {}).headers.remove).toEqual(['x-ping-auth', 'x_ping_auth']);
    const set = plus(aRequest(), ['X-Ping-Auth', 'x']);
    expect(changesOf(aRequest(), { headers: set }).headers.set.size).toBe(0);
  });

  it.each([
    'connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'transfer_encoding',
    'upgrade',
    'content-length',
    'Content_Length',
    'expect',
    'http2-settings',
    'via',
    'x-forwarded-for',
    'x-real-ip',
    'x-ping-auth',
  ])('%s from the policy is dropped, and noted', (name) => {
    const headers = plus(request, [name, '5']);
    expect(changesOf(request, { headers }).headers).toEqual({ set: new Map(), remove: [] });
    expect(notesOf(request, { headers })).toEqual([`dropped_header ${name.toLowerCase()}`]);
  });

  it('of the connection stay when the answer leaves them out, without a note', () => {
    const hop = aRequest({
      headers: [
        ['connection', 'close'],
        ['content-length', '5'],
        ['te', 'trailers'],
        ['upgrade', 'h2c'],
      ],
    });
    expect(changesOf(hop, { headers: [] }).headers.remove).toEqual([]);
    expect(notesOf(hop, { headers: [] })).toEqual([]);
  });

  it('that only look like them are removed like any other', () => {
    const odd = aRequest({
      headers: [
        ['content_length', '5'],
        ['x-forwarded-user', 'a'],
        ['proxy-authorization', 'b'],
      ],
    });
    expect(changesOf(odd, { headers: [] }).headers.remove).toEqual([
      'content_length',
      'x-forwarded-user',
      'proxy-authorization',
    ]);
  });

  it('that Kong writes itself cannot be removed, which is noted', () => {
    const forwarded = aRequest({ headers: [['x-forwarded-for', '10.0.0.1']] });
    expect(changesOf(forwarded, { headers: [] }).headers.remove).toEqual([]);
    expect(notesOf(forwarded, { headers: [] })).toEqual(['dropped_header x-forwarded-for']);
  });

  it.each([
    ['a blank in the name', 'X Y', 'v'],
    ['a blank after the name', 'X-Y ', 'v'],
    ['a colon in the name', 'X:Y', 'v'],
    ['no name', '', 'v'],
    ['a line break in the name', 'X\r\nY', 'v'],
    ['a name that is not ASCII', 'X-é', 'v'],
    ['a pseudo header', ':authority', 'v'],
    ['a line break in the value', 'x-y', 'hunter2\r\nX-Inj: 1'],
    ['a line feed in the value', 'x-y', 'hunter2\nb'],
    ['a NUL in the value', 'x-y', 'hunter2\0'],
    ['DEL in the value', 'x-y', 'hunter2\x7f'],
    ['half a surrogate pair, our sign for a raw byte', 'x-y', 'hunter2\udce9'],
  ])('with %s refuse the request, and the value is not in the error', (_case, name, value) => {
    const error = errorOf(() => decide(permit(request, { headers: plus(request, [name, value]) }), request));
    expect(error).toMatch(/^directive_invalid: header /);
    expect(error).not.toContain('hunter2');
  });

  it('may hold tabs and any script; blanks around a value are no part of it', () => {
    const headers = plus(request, ['x-y', '  a\tб 😀 '], ['x-z', '']);
    expect(changesOf(request, { headers }).headers.set).toEqual(
      new Map([
        ['x-y', ['a\tб 😀']],
        ['x-z', ['']],
      ]),
    );
  });
});

describe('`_` and `-` variants', () => {
  const both = aRequest({
    headers: [
      ['x_role', 'admin'],
      ['x-role', 'user'],
      ['x-other', '1'],
    ],
  });

  it('of a removed header go too', () => {
    expect(changesOf(both, { headers: without(both, 'x-role') }).headers.remove).toEqual([
      'x_role',
      'x-role',
    ]);
    expect(changesOf(both, { headers: without(both, 'x_role') }).headers.remove).toEqual([
      'x_role',
      'x-role',
    ]);
  });

  it("of a header that the policy sets go too, also when it echoes the client's", () => {
    const client = aRequest({ headers: [['x_role', 'admin']] });
    for (const headers of [
      plus(client, ['x-role', 'user']),
      [...without(client, 'x_role'), ['x-role', 'user'] as const],
    ]) {
      const changes = changesOf(client, { headers }).headers;
      expect(changes).toEqual({ set: new Map([['x-role', ['user']]]), remove: ['x_role'] });
    }
  });

  it('stay when the policy sets both', () => {
    const headers: HeaderField[] = [...without(both, 'x_role', 'x-role'), ['x_role', 'a'], ['x-role', 'b']];
    expect(changesOf(both, { headers }).headers.remove).toEqual([]);
  });
});

describe('headers that the policy was not shown', () => {
  const request = aRequest({
    headers: [
      ['cookie', 'a=1'],
      ['x-a', '1'],
    ],
  });
  const excluding = { excluded_request_headers: ['Cookie'] };

  it('stay as they are', () => {
    expect(changesOf(request, { headers: [] }, excluding).headers.remove).toEqual(['x-a']);
  });

  it('stay when a variant of them is removed', () => {
    const variant = aRequest({
      headers: [
        ['x-id', '1'],
        ['x_id', '2'],
      ],
    });
    expect(
      changesOf(variant, { headers: [] }, { excluded_request_headers: ['x-id'] }).headers.remove,
    ).toEqual(['x_id']);
  });

  it('refuse the request when the policy sets one nevertheless', () => {
    const answer = permit(request, { headers: plus(request, ['cookie', 'b=2']) });
    expect(errorOf(() => decide(answer, request, excluding))).toMatch(/excluded_request_headers/);
    const clean = aRequest();
    expect(
      changesOf(clean, { headers: plus(clean, ['cookie', 'b=2']) }, excluding).headers.set.get('cookie'),
    ).toEqual(['b=2']);
  });
});

describe("a client's Connection header", () => {
  const request = aRequest({ headers: [['connection', 'close, X-User']] });

  it('refuses the request when it would take off what the policy sets', () => {
    const answer = permit(request, { headers: plus(request, ['x-user', 'alice']) });
    expect(errorOf(() => decide(answer, request))).toMatch(/^request_unreadable: .*x-user/);
  });

  it('refuses it too when the client has guessed what the policy sets, so that nothing is left to change', () => {
    const guessed = aRequest({
      headers: [
        ['connection', 'close, X-User'],
        ['x-user', 'alice'],
      ],
    });
    expect(errorOf(() => decide(permit(guessed, {}), guessed))).toMatch(/^request_unreadable: .*x-user/);
    const without = [...guessed.headers].filter(([name]) => name !== 'x-user');
    expect(changesOf(guessed, { headers: without }).headers.remove).toEqual(['x-user']);
  });

  it('does no harm otherwise', () => {
    expect(changesOf(request, { headers: plus(request, ['x-other', 'alice']) }).headers.set.size).toBe(1);
  });
});

describe('bodies', () => {
  const post = (body: string | Uint8Array, headers: HeaderField[] = []) =>
    aRequest({ method: 'POST', body, headers });

  it('are replaced where the text differs from the one shown', () => {
    expect(text(changesOf(post('{"a":1,"b":2}'), { body: '{"a":1}' }).body)).toBe('{"a":1}');
    expect(text(changesOf(post('x'), { body: 'é' }).body)).toBe('é');
  });

  it.each([undefined, ''])('are removed when the answer says %j and the text was shown', (body) => {
    expect(changesOf(post('x'), { body }).body).toHaveLength(0);
  });

  it('are set on a request that had none', () => {
    expect(text(changesOf(aRequest(), { body: 'new' }).body)).toBe('new');
  });

  it.each<[string, HttpRequest, Partial<RequestShowSettings>]>([
    ['switched off', post('secret'), { send_request_body: false }],
    ['too large', post('secret'), { max_request_body_bytes: 2, request_body_over_limit: 'omit' }],
    ['binary', post(Uint8Array.of(0, 255), [['content-type', 'image/png']]), {}],
    ['unreadable', post(Uint8Array.of(0, 255)), { opaque_bodies: 'allow_unreadable' }],
    ['of another type', post('secret', [['content-type', 'x/y']]), { body_content_types: ['text/*'] }],
  ])('that were not shown (%s) cannot be erased, only replaced', (_case, request, settings) => {
    expect(changesOf(request, { body: undefined }, settings).body).toBeUndefined();
    expect(changesOf(request, { body: '' }, settings).body).toBeUndefined();
    expect(text(changesOf(request, { body: 'new' }, settings).body)).toBe('new');
  });

  it('lose Content-Encoding when they are replaced: the new one is plain text', () => {
    const request = post(Uint8Array.of(0x1f, 0x8b), [
      ['content-type', 'application/octet-stream'],
      ['content-encoding', 'gzip'],
    ]);
    expect(changesOf(request, { body: 'plain' }).headers).toEqual({
      set: new Map(),
      remove: ['content-encoding'],
    });
    // It was not shown, so nothing of it is replaced.
    expect(changesOf(request, { body: '' }).headers.remove).toEqual([]);
    const claims = [...without(request, 'content-encoding'), ['content-encoding', 'br'] as const];
    expect(changesOf(request, { body: 'plain', headers: claims }).headers).toEqual({
      set: new Map(),
      remove: ['content-encoding'],
    });
  });

  it('are written in UTF-8 whatever they were shown from, and say so', () => {
    for (const [body, ...headers] of CODED) {
      const changes = changesOf(post(body, headers), { body: 'grün' });
      expect(text(changes.body)).toBe('grün');
      const isCoded = headers.some(([name]) => name === 'content-encoding');
      expect(changes.headers.remove).toEqual(isCoded ? ['content-encoding'] : []);
      const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
      const said = changes.headers.set.get('content-type');
      expect(said).toEqual(type.includes('charset') ? ['text/plain; charset=utf-8'] : undefined);
    }
  });

  it('that the policy left alone are written anew when its headers would make another text of the bytes', () => {
    const utf8: HeaderField = ['content-type', 'text/plain; charset=utf-8'];
    for (const [body, ...headers] of CODED) {
      const others = headers.map(([name]) => name);
      const request = post(body, headers);
      const changes = changesOf(request, {
        body: '{"a":"é"}',
        headers: [...without(request, ...others), utf8],
      });
      const upstream = applyRequestChanges(request, changes);
      expect(text(upstream.body)).toBe('{"a":"é"}');
      expect(upstream.headers.getAll('content-encoding')).toEqual([]);
      expect(upstream.headers.getAll('content-type')).toEqual([utf8[1]]);
    }
    const plain = post('é', [utf8]);
    const as = (...fields: HeaderField[]) =>
      changesOf(plain, { headers: [...without(plain, 'content-type'), ...fields] });
    expect(text(as(['content-type', 'text/plain; charset=utf-16']).body)).toBe('é');
    expect(as(['content-type', 'text/plain; charset=utf-16']).headers).toMatchObject({ remove: [] });
    expect(text(as(utf8, ['content-encoding', 'gzip']).body)).toBe('é');
    expect(as(utf8, ['content-encoding', 'gzip']).headers.set.size).toBe(0);
    // Another type of the same text is no reason.
    expect(as(['content-type', 'text/markdown']).body).toBeUndefined();
    expect(as().body).toBeUndefined();
  });

  it('that were compressed and are erased lose Content-Encoding', () => {
    const [body, ...headers] = CODED[0];
    const changes = changesOf(post(body, headers), { body: '' });
    expect(changes).toMatchObject({ body: Buffer.alloc(0), headers: { remove: ['content-encoding'] } });
  });

  it('that are no text at all refuse the request', () => {
    expect(errorOf(() => decide(permit(post('x'), { body: '\ud800' }), post('x')))).toMatch(
      /^directive_invalid: body/,
    );
  });
});

describe('a denial', () => {
  const denied = (response: Parameters<typeof deny>[0]) => {
    const decision = decide(deny(response), aRequest());
    if (decision.kind !== 'deny') throw new Error('permitted');
    return decision;
  };

  it('goes to the client as it is, repeated headers kept', () => {
    const headers: HeaderField[] = [
      ['WWW-Authenticate', 'Bearer'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['Content-Type', 'application/json'],
    ];
    const { response, notes } = denied({ responseCode: '401', headers, body: '{"é":1}' });
    expect(response.status).toBe(401);
    expect(echo(response.headers)).toEqual(headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(response.body).toEqual(Buffer.from(bytes('{"é":1}')));
    expect(notes).toEqual([]);
  });

  it('without a body has an empty one, and the status may be a number', () => {
    expect(denied({ responseCode: 302 }).response).toMatchObject({ status: 302, body: Buffer.of() });
  });

  it.each([204, 304])('with %i has no body', (responseCode) => {
    expect(denied({ responseCode, body: 'x' }).response.body).toHaveLength(0);
  });

  it('drops framing and what would belie the body', () => {
    const names = [
      'Connection',
      'Transfer-Encoding',
      'Keep-Alive',
      'Trailer',
      'Upgrade',
      'Content-Encoding',
      'Server',
      'X-Kong-Request-Id',
    ];
    const headers = [...names, 'Content-Length'].map((name): HeaderField => [name, '1']);
    const { response, notes } = denied({ headers });
    expect(response.headers.size).toBe(0);
    expect(notes.map(({ name }) => name)).toEqual(names.map((name) => name.toLowerCase()));
  });

  it.each([100, 199, 444, 499, 600, 99, 0, -1, 200.5, '', '20', '2000', 'OK', '2e2', ' 200', '200\n'])(
    'with the status %j is refused',
    (responseCode) => {
      expect(errorOf(() => denied({ responseCode }))).toMatch(/^directive_invalid: response_code/);
    },
  );

  it('with an invalid header is refused whole', () => {
    expect(errorOf(() => denied({ headers: [['X:Y', '1']] }))).toMatch(/^directive_invalid: header/);
    expect(errorOf(() => denied({ headers: [['x-y', 'a\r\nb']] }))).toMatch(/^directive_invalid: header/);
  });
});
