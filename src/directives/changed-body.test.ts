import { describe, expect, it } from 'vitest';
import { headerParts, headersFrom } from '../../test/model/decisions.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from '../http/headers.js';
import { changedBody } from './decision.js';

type Wanted = { set?: readonly (readonly [string, readonly string[]])[]; remove?: readonly string[] };

const change = (text: string, original: readonly HeaderField[], { set = [], remove = [] }: Wanted = {}) => {
  const { body = new Uint8Array(), headers } = changedBody(
    text,
    headersFrom(set, remove),
    HeaderList.from(original),
  );
  const parts = headerParts(headers);
  return { body: Buffer.from(body).toString('utf8'), set: [...parts.set], remove: parts.remove };
};
const type = (value: string): HeaderField => ['content-type', value];
/** The Content-Type with which a changed body goes on. */
const typeAfter = (value: string, text = 'é') => {
  const { set, remove } = change(text, [type(value)]);
  expect(remove).toEqual([]);
  return set.length === 0 ? value : set[0]?.[1][0];
};

describe('a body from the policy', () => {
  it('goes on in UTF-8', () => {
    expect(change('{"a":"é"}', [type('application/json')])).toEqual({
      body: '{"a":"é"}',
      set: [],
      remove: [],
    });
  });

  it('is refused when it has no encoding', () => {
    expect(() => change('\ud800', [])).toThrow(PingAuthError);
  });

  it('loses its coding and all that describes the old bytes', () => {
    const original: HeaderField[] = [
      ['Content-Encoding', 'gzip'],
      ['content_encoding', 'gzip'],
      ['ETag', '"1"'],
      ['Content-MD5', 'x'],
      ['Digest', 'x'],
      ['Repr-Digest', 'x'],
      ['Content-Digest', 'x'],
      ['Accept-Ranges', 'bytes'],
      ['Last-Modified', 'x'],
    ];
    const gone = original.slice(0, -1).map(([name]) => name.toLowerCase());
    for (const text of ['x', '']) {
      expect(change(text, original)).toEqual({ body: text, set: [], remove: gone });
      expect(change(text, original, { remove: ['etag', 'x-other'] }).remove.toSorted()).toEqual(
        [...gone, 'x-other'].toSorted(),
      );
    }
  });

  it('keeps what the policy says of it, but for a coding', () => {
    const set = [
      ['etag', ['"2"']],
      ['content-encoding', ['br']],
      ['x-a', ['1', '2']],
    ] as const;
    expect(change('x', [['etag', '"1"']], { set })).toEqual({
      body: 'x',
      set: [
        ['etag', ['"2"']],
        ['x-a', ['1', '2']],
      ],
      remove: [],
    });
  });
});

describe('the Content-Type of a body from the policy', () => {
  it.each([
    ['text/plain', 'text/plain; charset=utf-8'],
    ['text/plain;', 'text/plain; charset=utf-8'],
    ['text/html; charset=ISO-8859-1', 'text/html; charset=utf-8'],
    ['text/plain; charset=utf-16; format=flowed', 'text/plain; format=flowed; charset=utf-8'],
    ['text/plain; charset=a; charset=b', 'text/plain; charset=utf-8'],
    // Some readers find a charset in there.
    ['application/soap+xml; action="a;charset=x"', 'application/soap+xml; charset=utf-8'],
    ['application/json, charset=utf-7', 'application/json; charset=utf-8'],
    ["text/plain; charset*=utf-8''utf-7; a=b", 'text/plain; a=b; charset=utf-8'],
    [
      'multipart/form-data; boundary="x; charset=y"',
      'multipart/form-data; boundary="x; charset=y"; charset=utf-8',
    ],
    ['application/xml; charset="utf-16"', 'application/xml; charset=utf-8'],
    ['application/json; charset=latin1', 'application/json; charset=utf-8'],
    ['application/x-www-form-urlencoded;charset=x', 'application/x-www-form-urlencoded; charset=utf-8'],
  ])('%s becomes %s', (before, after) => {
    expect(typeAfter(before)).toBe(after);
  });

  it.each([
    'application/json',
    'application/problem+json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary="x; y"',
    'text/event-stream',
    'text/plain; charset=UTF-8',
    'text/plain;charset="utf8"',
    'image/png',
    'json',
  ])('%s stays', (same) => {
    expect(typeAfter(same)).toBe(same);
  });

  it('stays with an empty body, and is not added where there is none', () => {
    expect(typeAfter('text/plain; charset=latin1', '')).toBe('text/plain; charset=latin1');
    expect(change('x', [])).toEqual({ body: 'x', set: [], remove: [] });
    expect(change('x', [type('text/plain')], { remove: ['content-type'] })).toEqual({
      body: 'x',
      set: [],
      remove: ['content-type'],
    });
  });

  it('is that of the policy, corrected', () => {
    expect(
      change('é', [type('image/png')], { set: [['content-type', ['text/plain; charset=latin1']]] }).set,
    ).toEqual([['content-type', ['text/plain; charset=utf-8']]]);
  });

  it('goes with the XML declaration', () => {
    const xml = '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>';
    expect(change(xml, [type('application/xml')]).body).toBe(xml.replace('ISO-8859-1', 'UTF-8'));
    expect(change(xml, [type('text/plain')]).body).toBe(xml);
  });
});
