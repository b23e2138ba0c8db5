import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { inParts } from '../../test/model/decisions.js';
import {
  aRequest,
  aRequestContext,
  aResponse,
  echo,
  SHOW_ALL,
  showRequest,
  showResponse,
  text,
} from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { BodySettings } from '../http/body.js';
import type { HeaderField } from '../http/headers.js';
import type { HttpResponse } from '../http/message.js';
import type { ResponseAnswer } from '../sideband/messages.js';
import { describeChanges, type ResponseDecision } from './decision.js';
import { decideResponse } from './response-decision.js';

interface Case {
  readonly method?: string;
  readonly settings?: Partial<BodySettings>;
}

function decide(
  response: HttpResponse,
  change: Partial<ResponseAnswer> = {},
  { method = 'GET', settings = {} }: Case = {},
): ResponseDecision {
  const requestContext = aRequestContext('permit', showRequest(aRequest({ method }), SHOW_ALL).payload, null);
  const shown = showResponse(response, requestContext, { ...SHOW_ALL, ...settings });
  const answer = {
    responseCode: String(response.status),
    headers: echo(response.headers),
    body: shown.payload.body,
  };
  return decideResponse({ ...answer, ...change }, response, shown.body, method);
}

const plainChanges = (...args: Parameters<typeof decide>) => decide(...args).changes;
const changesOf = (...args: Parameters<typeof decide>) => inParts(plainChanges(...args));
const errorOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof PingAuthError) return `${error.code}: ${error.detail}`;
  }
  return 'no error';
};
const plus = (response: HttpResponse, ...fields: HeaderField[]): HeaderField[] => [
  ...echo(response.headers),
  ...fields,
];

const OPAQUE: HeaderField = ['content-type', 'application/octet-stream'];
const plain = aResponse(
  200,
  [
    ['content-type', 'text/plain'],
    ['content-length', '5'],
    ['date', 'Tue, 01 Jan 2030 00:00:00 GMT'],
    ['vary', 'accept'],
    ['connection', 'keep-alive'],
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['x-latin', 'caf\udce9'],
    ['x-empty', ' '],
  ],
  'hello',
);

describe('an answer that echoes the response', () => {
  it.each([
    ['a plain one', plain],
    [
      'binary',
      aResponse(
        200,
        [OPAQUE],
        Uint8Array.from({ length: 256 }, (_, i) => i),
      ),
    ],
    ['gzip', aResponse(200, [['content-encoding', 'gzip']], gzipSync('{}'))],
    ['gzip that is no text', aResponse(200, [OPAQUE, ['content-encoding', 'gzip']], gzipSync('{}'))],
    ['iso-8859-1', aResponse(200, [['content-type', 'text/plain; charset=latin1']], Uint8Array.of(0xe9))],
    ['204', aResponse(204, [['x-a', '1']])],
    ['304', aResponse(304, [['content-length', '1234']])],
    ['no body', aResponse(200, [['content-length', '0']])],
    ['a status that Kong cannot send by itself', aResponse(999, [], 'x')],
  ])('changes nothing: %s', (_case, response) => {
    expect(describeChanges(plainChanges(response))).toEqual([]);
    expect(describeChanges(plainChanges(response, { responseCode: response.status }))).toEqual([]);
  });

  it('changes nothing for HEAD', () => {
    const response = aResponse(200, [['content-length', '5']]);
    expect(describeChanges(plainChanges(response, {}, { method: 'HEAD' }))).toEqual([]);
  });
});

describe('status', () => {
  it('is changed where it differs', () => {
    expect(changesOf(plain, { responseCode: '402', body: 'pay' })).toMatchObject({
      status: 402,
      body: Buffer.from('pay'),
    });
    expect(changesOf(plain, { responseCode: 403 }).status).toBe(403);
  });

  it.each(['100', '99', '444', '499', '600', 'OK', '0x193', ''])('%j is refused', (responseCode) => {
    expect(errorOf(() => decide(plain, { responseCode }))).toMatch(/^directive_invalid: response_code/);
  });

  it.each(['204', '205', '304'])('%s takes the body away, and the one of the answer', (responseCode) => {
    const { changes, notes } = decide(plain, { responseCode, body: 'more' });
    expect(changes.body).toEqual(Buffer.alloc(0));
    expect(notes).toEqual([{ what: 'unchangeable_field', name: 'body' }]);
  });

  it('made of 204 always comes with a body to write, else the client waits for ever', () => {
    expect(changesOf(aResponse(204), { responseCode: '200' }).body).toEqual(Buffer.alloc(0));
    expect(changesOf(aResponse(204), { responseCode: '200' }, { method: 'HEAD' }).body).toEqual(
      Buffer.alloc(0),
    );
    expect(text(changesOf(aResponse(204), { responseCode: '200', body: 'x' }).body)).toBe('x');
  });
});

describe('headers', () => {
  it('are added, changed, removed; the bytes of the others stay', () => {
    const headers: HeaderField[] = [
      ['Content-Type', 'text/plain'],
      ['Set-Cookie', 'a=1'],
      ['X-New', '1'],
      ['x-latin', 'café'],
    ];
    const { set, remove } = changesOf(plain, { headers }).headers;
    expect([...set]).toEqual([
      ['set-cookie', ['a=1']],
      ['x-new', ['1']],
    ]);
    expect(remove).toEqual(['x-empty']);
  });

  it('Content-Length, Date, Connection and Vary stay when the answer has none', () => {
    expect(changesOf(plain, { headers: [] }).headers.remove).toEqual([
      'content-type',
      'set-cookie',
      'x-latin',
      'x-empty',
    ]);
  });

  it('Date and Vary may be changed', () => {
    const headers: HeaderField[] = [
      ['vary', '*'],
      ['date', 'now'],
    ];
    expect([...changesOf(plain, { headers }).headers.set.keys()]).toEqual(['vary', 'date']);
  });

  it.each([
    'connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'Transfer_Encoding',
    'upgrade',
    'via',
    'x-kong-request-id',
  ])('%s from the policy is dropped, and noted', (name) => {
    const response = aResponse(200, [], 'x');
    const { changes, notes } = decide(response, { headers: [[name, 'x']] });
    expect(changes.headers).toEqual({});
    expect(notes).toEqual([{ what: 'dropped_header', name: name.toLowerCase().replace('_', '-') }]);
  });

  it("an odd name of the upstream's stays, is taken away, and is only refused where the policy writes it", () => {
    const response = aResponse(200, [['x(odd)', '1']], 'x');
    const kept: HeaderField[] = [
      ['X(odd)', '1'],
      ['x-new', '2'],
    ];
    expect(changesOf(response, { headers: kept, body: 'x' }).headers).toEqual({
      set: new Map([['x-new', ['2']]]),
      remove: [],
    });
    expect(changesOf(response, { headers: [], body: 'x' }).headers.remove).toEqual(['x(odd)']);
    const changed: HeaderField[] = [['x(odd)', '2']];
    expect(errorOf(() => decide(response, { headers: changed, body: 'x' }))).toMatch(/is not a token/);
    expect(errorOf(() => decide(response, { headers: [['y(odd)', '2']], body: 'x' }))).toMatch(
      /is not a token/,
    );
  });

  it("the upstream's hop-by-hop headers may be taken away", () => {
    const response = aResponse(200, [
      ['upgrade', 'h2c'],
      ['te', 'x'],
      ['transfer-encoding', 'chunked'],
      ['proxy-authenticate', 'Basic'],
    ]);
    expect(changesOf(response, { headers: [] }).headers.remove).toEqual([
      'upgrade',
      'te',
      'proxy-authenticate',
    ]);
  });

  it('a wrong Content-Length never reaches the client', () => {
    const response = aResponse(200, [['content-length', '370']], 'x'.repeat(370));
    const { changes, notes } = decide(response, { headers: [['content-length', '9']], body: 'replaced' });
    expect(changes.headers).toEqual({});
    expect(notes).toEqual([]);
  });

  it('x_under is x-under, as Kong writes it', () => {
    const response = aResponse(200, [['x-under', '1']]);
    expect(describeChanges(plainChanges(response, { headers: [['x_under', '1']] }))).toEqual([]);
    expect([...changesOf(response, { headers: [['X_Under', '2']] }).headers.set]).toEqual([
      ['x-under', ['2']],
    ]);
  });

  it.each<HeaderField>([
    ['X Y', '1'],
    ['X:Y', '1'],
    ['', '1'],
    ['x-y', 'a\r\nSet-Cookie: b'],
    ['x-y', 'a\0'],
  ])('%j: %j is refused', (name, value) => {
    expect(errorOf(() => decide(plain, { headers: plus(plain, [name, value]) }))).toMatch(
      /^directive_invalid: header/,
    );
  });
});

describe('bodies', () => {
  it('are replaced where the text differs, and erased when it is missing', () => {
    expect(text(changesOf(plain, { body: 'bye' }).body)).toBe('bye');
    expect(changesOf(plain, { body: '' }).body).toHaveLength(0);
    expect(changesOf(plain, { body: undefined }).body).toHaveLength(0);
    expect(text(changesOf(aResponse(200), { body: 'new' }).body)).toBe('new');
  });

  it.each<[string, HttpResponse, Partial<BodySettings>]>([
    ['switched off', plain, { send_response_body: false }],
    ['too large', plain, { max_response_body_bytes: 2, response_body_over_limit: 'omit' }],
    ['binary', aResponse(200, [OPAQUE], Uint8Array.of(0, 255)), {}],
    ['unreadable', aResponse(200, [], Uint8Array.of(0, 255)), { opaque_bodies: 'allow_unreadable' }],
  ])('that were not shown (%s) cannot be erased, only replaced', (_case, response, settings) => {
    expect(changesOf(response, { body: undefined }, { settings }).body).toBeUndefined();
    expect(changesOf(response, { body: '', responseCode: '201' }, { settings }).body).toBeUndefined();
    expect(text(changesOf(response, { body: 'new' }, { settings }).body)).toBe('new');
  });

  it('that were not shown do not pass under a denial either', () => {
    const secret = aResponse(200, [OPAQUE], Uint8Array.of(0, 255));
    expect(changesOf(secret, { responseCode: '403', body: undefined })).toMatchObject({
      status: 403,
      body: Buffer.alloc(0),
    });
  });

  it('lose Content-Encoding when they are replaced or erased', () => {
    const shown = aResponse(200, [['content-encoding', 'gzip']], gzipSync('{}'));
    expect(changesOf(shown, { body: '{"a":1}' }).headers.remove).toEqual(['content-encoding']);
    expect(changesOf(shown, { body: undefined }).headers.remove).toEqual(['content-encoding']);
    const opaque = aResponse(200, [OPAQUE, ['content-encoding', 'gzip']], gzipSync('{}'));
    expect(changesOf(opaque, { body: '{}' }).headers.remove).toEqual(['content-encoding']);
    expect(changesOf(opaque, { responseCode: '403' }).headers.remove).toEqual(['content-encoding']);
    const headers: HeaderField[] = [['content-encoding', 'br']];
    const { set } = changesOf(plain, { headers: plus(plain, ...headers), body: 'x' }).headers;
    expect(set).toEqual(new Map([['content-type', ['text/plain; charset=utf-8']]]));
  });

  it('are written anew when headers of the answer would make another text of the bytes', () => {
    const fields: HeaderField[] = [
      ['content-type', 'text/plain; charset=iso-8859-1'],
      ['content-encoding', 'gzip'],
    ];
    const coded = aResponse(200, fields, gzipSync(Uint8Array.of(0xe9)));
    for (const headers of [
      [],
      fields.slice(0, 1),
      fields.slice(1),
      [['content-type', 'text/html']] as const,
    ]) {
      const changes = changesOf(coded, { headers });
      expect(text(changes.body)).toBe('é');
      expect(changes.headers.remove).toContain('content-encoding');
      expect(changes.headers.set.get('content-type')?.join() ?? '').toMatch(/^$|; charset=utf-8$/);
    }
    expect(changesOf(coded, { headers: [...fields, ['x-a', '1']] }).body).toBeUndefined();
    // What was not shown is the policy's own business.
    const opaque = aResponse(200, [OPAQUE, ['content-encoding', 'gzip']], gzipSync('{}'));
    expect(changesOf(opaque, { headers: [OPAQUE] }).body).toBeUndefined();
    expect(changesOf(coded, { headers: [] }, { method: 'HEAD' }).body).toBeUndefined();
  });

  it('are never given to HEAD', () => {
    const response = aResponse(200, [['content-length', '5']]);
    const { changes, notes } = decide(response, { responseCode: '403', body: 'no' }, { method: 'HEAD' });
    expect(changes).toMatchObject({ status: 403, body: undefined });
    expect(notes).toEqual([{ what: 'unchangeable_field', name: 'body' }]);
  });

  it('that are no text at all are refused', () => {
    expect(errorOf(() => decide(plain, { body: '\udc80' }))).toMatch(/^directive_invalid: body/);
  });
});
