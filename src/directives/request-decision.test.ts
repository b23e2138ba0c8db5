import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { changesOf, decide, errorOf, notesOf, requestChanges } from '../../test/model/decisions.js';
import { aRequest, bytes, deny, echo, permit } from '../../test/model/messages.js';
import type { HeaderField } from '../http/headers.js';
import { describeChanges, isUnchanged } from './decision.js';

/** `{"a":"é"}`, as it may come. */
const CODED = [
  [gzipSync('{"a":"é"}'), ['content-type', 'application/json'], ['content-encoding', 'gzip']],
  [Buffer.from('{"a":"é"}', 'latin1'), ['content-type', 'text/plain; charset=iso-8859-1']],
  [Buffer.from('{"a":"é"}', 'utf16le'), ['content-type', 'text/plain; charset=utf-16']],
] as const satisfies readonly [Uint8Array, ...HeaderField[]][];

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
    const changes = requestChanges(request, {});
    expect(describeChanges(changes)).toEqual([]);
    expect(isUnchanged(changes)).toBe(true);
  });

  it('changes nothing when the provider writes the same path another way', () => {
    const request = aRequest({ url: { path: '/caf%C3%A9/a%2Fb' } });
    const url = 'https://API.example:8443/caf%c3%a9//x/../%61%2fb?id=7';
    expect(describeChanges(requestChanges(request, { url }))).toEqual([]);
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
      expect(describeChanges(requestChanges(request, { body: '{"a":"é"}' }))).toEqual([]);
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
    expect(notesOf(request, { url: 'https://api.example:9999/v1/users?id=7' })).toEqual([
      'unchangeable_field port',
    ]);
    expect(notesOf(request, { url: 'https://other.example:9999/v1/users?id=7' })).toEqual([]);
    expect(notesOf(request, { sourceIp: '192.0.2.7', sourcePort: '40001', clientCertificate: null })).toEqual(
      [],
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

  it.each([204, 205, 304])('with %i has no body', (responseCode) => {
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
