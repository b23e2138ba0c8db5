import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { changesOf, decide, errorOf, headersFrom, without } from '../../test/model/decisions.js';
import { aRequest, permit, type RequestShowSettings, text } from '../../test/model/messages.js';
import type { HeaderField } from '../http/headers.js';
import type { HttpRequest } from '../http/message.js';
import { applyRequestChanges } from './apply.js';

/** `{"a":"é"}`, as it may come. */
const CODED = [
  [gzipSync('{"a":"é"}'), ['content-type', 'application/json'], ['content-encoding', 'gzip']],
  [Buffer.from('{"a":"é"}', 'latin1'), ['content-type', 'text/plain; charset=iso-8859-1']],
  [Buffer.from('{"a":"é"}', 'utf16le'), ['content-type', 'text/plain; charset=utf-16']],
] as const satisfies readonly [Uint8Array, ...HeaderField[]][];

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
      const upstream = applyRequestChanges(request, {
        ...changes,
        headers: headersFrom(changes.headers.set, changes.headers.remove),
      });
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
