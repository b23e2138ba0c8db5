import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { testBytes } from '../../dev/upstream/answers.js';
import { bytes, SHOW_ALL } from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { requestBodyRules, responseBodyRules, showBody } from './body-view.js';
import { type HeaderField, HeaderList } from './header-list.js';

const JSON_TYPE: HeaderField = ['content-type', 'application/json; charset=utf-8'];
const OPAQUE: HeaderField = ['content-type', 'application/octet-stream'];
const show = (
  body: Uint8Array,
  fields: readonly HeaderField[] = [],
  settings: Partial<Parameters<typeof requestBodyRules>[0]> = {},
) => showBody(body, HeaderList.from(fields), requestBodyRules({ ...SHOW_ALL, ...settings }));
const showOfResponse = (
  body: Uint8Array,
  fields: readonly HeaderField[] = [],
  settings: Partial<Parameters<typeof responseBodyRules>[0]> = {},
) => showBody(body, HeaderList.from(fields), responseBodyRules({ ...SHOW_ALL, ...settings }));

/** Code and status for the client; the response's status is `error_status`. */
const refusalOf = async (act: () => unknown): Promise<string> => {
  try {
    await act();
  } catch (error) {
    if (error instanceof PingAuthError) return `${error.code} ${error.status}`;
  }
  return 'nothing thrown';
};
const codeOf = async (act: () => unknown) => (await refusalOf(act)).split(' ', 1)[0];

describe('what of a body the policy is shown', () => {
  it('is the text, whole, also one that Kong spilled to disk', () => {
    expect(show(bytes('{"a":"é"}'))).toMatchObject({ kind: 'text', text: '{"a":"é"}' });
    const big = 'x'.repeat(5_000_000);
    expect(show(bytes(big))).toMatchObject({ kind: 'text', text: big });
  });

  it('is the text that compressed bytes stand for, at once for few and later for many', async () => {
    const fields: HeaderField[] = [JSON_TYPE, ['content-encoding', 'gzip']];
    expect(show(gzipSync('{"a":"é"}'), fields)).toMatchObject({ kind: 'text', text: '{"a":"é"}' });
    const big = 'x'.repeat(5_000_000);
    const later = show(gzipSync(big), fields);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toMatchObject({ kind: 'text', text: big });
  });

  it('is nothing when there is none, whatever the settings', () => {
    expect(show(bytes(''), [], { send_request_body: false })).toEqual({ kind: 'absent' });
    expect(show(bytes(''), [['content-encoding', 'x']], { opaque_bodies: 'reject' })).toEqual({
      kind: 'absent',
    });
  });

  it('is nothing when it is switched off, and then no rule can refuse it', () => {
    const off = { send_request_body: false, max_request_body_bytes: 1, opaque_bodies: 'reject' } as const;
    for (const fields of [[], [OPAQUE], [JSON_TYPE]])
      expect(show(Uint8Array.of(0xff, 0xfe), fields, off)).toEqual({ kind: 'omitted', reason: 'disabled' });
  });

  it('is nothing when the gateway did not read it', () => {
    const rules = requestBodyRules({ ...SHOW_ALL, opaque_bodies: 'reject' });
    const unread = showBody(bytes(''), HeaderList.empty, rules, 'too_large');
    expect(unread).toEqual({ kind: 'omitted', reason: 'too_large' });
  });

  it('ends at the limit, which itself is allowed', async () => {
    expect(show(bytes('12345'), [], { max_request_body_bytes: 5 })).toMatchObject({ kind: 'text' });
    const tight = { max_request_body_bytes: 4 };
    expect(show(bytes('12345'), [], { ...tight, request_body_over_limit: 'omit' })).toEqual({
      kind: 'omitted',
      reason: 'too_large',
    });
    expect(await refusalOf(() => show(bytes('12345'), [], tight))).toBe('request_body_too_large 413');
    const response = () => showOfResponse(bytes('12345'), [], { max_response_body_bytes: 4 });
    expect(await codeOf(response)).toBe('response_body_too_large');
  });

  it('ends at the limit for decompressed bytes as well', async () => {
    const packed: HeaderField[] = [['content-encoding', 'br']];
    const bomb = brotliCompressSync(Buffer.alloc(5_000_000, ' '));
    expect(bomb.length).toBeLessThan(100);
    const tight = { max_request_body_bytes: 100_000 };
    expect(await refusalOf(() => show(bomb, packed, tight))).toBe('request_body_too_large 413');
    expect(await show(bomb, packed, { ...tight, request_body_over_limit: 'omit' })).toEqual({
      kind: 'omitted',
      reason: 'too_large',
    });
    const response = () => showOfResponse(bomb, packed, { max_response_body_bytes: 100_000 });
    expect(await codeOf(response)).toBe('response_body_too_large');
  });

  it.each([
    ['bytes that are not UTF-8', Uint8Array.of(0, 0xff), [OPAQUE], 'not_utf8'],
    ['gzip', gzipSync('{}'), [OPAQUE, ['content-encoding', 'gzip']], 'content_encoding'],
    [
      'something that claims to be encoded',
      bytes('{}'),
      [OPAQUE, ['content-encoding', 'identity, br']],
      'content_encoding',
    ],
    [
      'a second Content-Encoding',
      bytes('{}'),
      [OPAQUE, ['content-encoding', ''], ['Content-Encoding', 'BR']],
      'content_encoding',
    ],
    [
      'a form with a file in it',
      Buffer.from('--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n\xff\r\n--b--', 'latin1'),
      [['content-type', 'multipart/form-data; boundary=b']],
      'not_utf8',
    ],
  ] as const)('leaves out %s where it is no text, or refuses it', async (_case, body, fields, reason) => {
    expect(show(body, fields)).toEqual({ kind: 'omitted', reason });
    expect(show(body, fields, { opaque_bodies: 'allow_unreadable' })).toEqual({ kind: 'omitted', reason });
    const reject = { opaque_bodies: 'reject' } as const;
    expect(await refusalOf(() => show(body, fields, reject))).toBe('request_body_opaque 415');
    expect(await codeOf(() => showOfResponse(body, fields, reject))).toBe('response_body_opaque');
  });

  it.each([
    ['bytes that are not UTF-8', 400, Uint8Array.of(0x7b, 0xff), []],
    ['those of a type that is text', 400, Uint8Array.of(0x7b, 0xff), [JSON_TYPE]],
    ['broken gzip', 400, gzipSync('{}').subarray(0, -1), [['content-encoding', 'gzip']]],
    ['a text that claims to be encoded', 400, bytes('{}'), [['content-encoding', 'identity, br']]],
    [
      'a second Content-Encoding',
      400,
      bytes('{}'),
      [
        ['content-encoding', ''],
        ['Content-Encoding', 'BR'],
      ],
    ],
    ['an unknown coding', 415, bytes('{}'), [JSON_TYPE, ['content-encoding', 'x']]],
    ['an unknown charset', 415, bytes('{}'), [['content-type', 'application/json; charset=utf-7']]],
  ] as const)('refuses %s in a text, unless that is allowed', async (_case, status, body, fields) => {
    for (const opaque_bodies of ['omit', 'reject'] as const) {
      const request = () => show(body, fields, { opaque_bodies });
      expect(await refusalOf(request)).toBe(`request_body_unreadable ${status}`);
      const response = () => showOfResponse(body, fields, { opaque_bodies });
      expect(await codeOf(response)).toBe('response_body_unreadable');
    }
    const omitted = { kind: 'omitted', reason: 'unreadable' };
    expect(show(body, fields, { opaque_bodies: 'allow_unreadable' })).toEqual(omitted);
    expect(showOfResponse(body, fields, { opaque_bodies: 'allow_unreadable' })).toEqual(omitted);
  });

  it('rejects with the same when it has to be waited for', async () => {
    const packed = gzipSync(testBytes(50_000));
    const fields: HeaderField[] = [['content-encoding', 'gzip']];
    expect(show(packed, fields, { opaque_bodies: 'allow_unreadable' })).toBeInstanceOf(Promise);
    expect(await refusalOf(() => show(packed, fields))).toBe('request_body_unreadable 400');
  });

  it('takes identity for no encoding', () => {
    expect(show(bytes('{}'), [['content-encoding', 'Identity']])).toMatchObject({ kind: 'text' });
  });

  it.each([
    [['application/json'], true],
    [['text/*', '*+json'], false],
    [['application/*'], true],
    [['*/*'], true],
    [['APPLICATION/JSON'], true],
    [['application/jso'], false],
  ])('goes by the content types %j', (patterns, isShown) => {
    const shown = show(bytes('{}'), [JSON_TYPE], { body_content_types: patterns });
    expect(shown).toMatchObject(
      isShown ? { kind: 'text', text: '{}' } : { kind: 'omitted', reason: 'content_type' },
    );
  });

  it('matches a structured suffix, and never a missing type', async () => {
    const only = { body_content_types: ['*+json'] };
    const omitted = { kind: 'omitted', reason: 'content_type' };
    expect(show(bytes('{}'), [['content-type', 'application/problem+json']], only)).toMatchObject({
      kind: 'text',
    });
    expect(show(bytes('{}'), [], only)).toEqual(omitted);
    const two = (second: string): HeaderField[] => [
      ['content-type', 'text/html'],
      ['content-type', second],
    ];
    expect(show(bytes('{}'), two('text/plain'), only)).toEqual(omitted);
    const strict = { ...only, opaque_bodies: 'reject' } as const;
    expect(await codeOf(() => show(bytes('{}'), two('text/plain'), strict))).toBe('request_body_opaque');
    // One that is to be shown cannot be hidden behind another one.
    const doubtful = two('application/problem+json');
    expect(await refusalOf(() => show(bytes('{}'), doubtful, only))).toBe('request_body_unreadable 400');
    expect(show(bytes('{}'), doubtful, { ...only, opaque_bodies: 'allow_unreadable' })).toEqual({
      kind: 'omitted',
      reason: 'unreadable',
    });
  });
});
