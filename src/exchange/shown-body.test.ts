import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytes, SHOW_ALL } from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from './header-list.js';
import { requestBodyRules, responseBodyRules, showBody } from './shown-body.js';

const JSON_TYPE: HeaderField = ['content-type', 'application/json; charset=utf-8'];
const show = (
  body: Uint8Array,
  fields: readonly HeaderField[] = [],
  settings: Partial<Parameters<typeof requestBodyRules>[0]> = {},
) => showBody(body, HeaderList.from(fields), requestBodyRules({ ...SHOW_ALL, ...settings }));

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof PingAuthError) return error.code;
  }
  return 'nothing thrown';
};

describe('what of a body the policy is shown', () => {
  it('is the text, whole, also one that Kong spilled to disk', () => {
    expect(show(bytes('{"a":"é"}'))).toEqual({ kind: 'text', text: '{"a":"é"}' });
    const big = 'x'.repeat(5_000_000);
    expect(show(bytes(big))).toEqual({ kind: 'text', text: big });
  });

  it('is nothing when there is none, whatever the settings', () => {
    expect(show(bytes(''), [], { send_request_body: false })).toEqual({ kind: 'absent' });
  });

  it('is nothing when it is switched off, and then no rule can refuse it', () => {
    const off = { send_request_body: false, max_request_body_bytes: 1, opaque_bodies: 'reject' } as const;
    expect(show(Uint8Array.of(0xff, 0xfe), [], off)).toEqual({ kind: 'omitted', reason: 'disabled' });
  });

  it('ends at the limit, which itself is allowed', () => {
    expect(show(bytes('12345'), [], { max_request_body_bytes: 5 }).kind).toBe('text');
    const tight = { max_request_body_bytes: 4 };
    expect(show(bytes('12345'), [], { ...tight, request_body_over_limit: 'omit' })).toEqual({
      kind: 'omitted',
      reason: 'too_large',
    });
    expect(codeOf(() => show(bytes('12345'), [], tight))).toBe('request_body_too_large');
    const response = responseBodyRules({ ...SHOW_ALL, max_response_body_bytes: 4 });
    expect(codeOf(() => showBody(bytes('12345'), HeaderList.empty, response))).toBe(
      'response_body_too_large',
    );
  });

  it.each([
    ['bytes that are not UTF-8', Uint8Array.of(0, 0xff), [], 'not_utf8'],
    ['gzip', gzipSync('{}'), [['content-encoding', 'gzip']], 'content_encoding'],
    [
      'a text that claims to be encoded',
      bytes('{}'),
      [['content-encoding', 'identity, br']],
      'content_encoding',
    ],
    [
      'a second Content-Encoding',
      bytes('{}'),
      [
        ['content-encoding', ''],
        ['Content-Encoding', 'BR'],
      ],
      'content_encoding',
    ],
  ] as const)('leaves out %s, or refuses it', (_case, body, fields, reason) => {
    expect(show(body, fields)).toEqual({ kind: 'omitted', reason });
    expect(codeOf(() => show(body, fields, { opaque_bodies: 'reject' }))).toBe('request_body_opaque');
    const response = responseBodyRules({ ...SHOW_ALL, opaque_bodies: 'reject' });
    expect(codeOf(() => showBody(body, HeaderList.from(fields), response))).toBe('response_body_opaque');
  });

  it('takes identity for no encoding', () => {
    expect(show(bytes('{}'), [['content-encoding', 'Identity']]).kind).toBe('text');
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
    expect(shown).toEqual(
      isShown ? { kind: 'text', text: '{}' } : { kind: 'omitted', reason: 'content_type' },
    );
  });

  it('matches a structured suffix, and never a missing or a doubtful type', () => {
    const only = { body_content_types: ['*+json'] };
    expect(show(bytes('{}'), [['content-type', 'application/problem+json']], only).kind).toBe('text');
    expect(show(bytes('{}'), [], only).kind).toBe('omitted');
    const two: HeaderField[] = [
      ['content-type', 'application/problem+json'],
      ['content-type', 'text/html'],
    ];
    expect(show(bytes('{}'), two, only).kind).toBe('omitted');
    expect(codeOf(() => show(bytes('{}'), two, { ...only, opaque_bodies: 'reject' }))).toBe(
      'request_body_opaque',
    );
  });
});
