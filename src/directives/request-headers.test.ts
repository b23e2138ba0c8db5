import { describe, expect, it } from 'vitest';
import { changesOf, decide, errorOf, notesOf, plus, without } from '../../test/model/decisions.js';
import { aRequest, permit } from '../../test/model/messages.js';
import type { HeaderField } from '../http/headers.js';

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

describe('thousands of headers', () => {
  const ofClient = (count: number) =>
    Array.from({ length: count }, (_, at): HeaderField => [`x-${at}`, 'before']);
  /** Milliseconds of the quickest of five times. */
  const cost = (act: () => unknown) =>
    Math.min(
      ...Array.from({ length: 5 }, () => {
        const start = performance.now();
        act();
        return performance.now() - start;
      }),
    );

  it.each([
    ['change', 'after'],
    ['remove', undefined],
  ])('take no quadratic time to %s', (_, value) => {
    const of = (count: number) => {
      const request = aRequest({ headers: ofClient(count) });
      const headers = value === undefined ? [] : ofClient(count).map(([name]): HeaderField => [name, value]);
      return cost(() => decide(permit(request, { headers }), request));
    };
    const [less, more] = [of(1000), of(8000)];
    expect(more, `${less} ms, ${more} ms`).toBeLessThan(less * 16 + 60);
  });
});
