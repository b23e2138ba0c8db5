import { describe, expect, it } from 'vitest';
import { type MediaType, mediaType } from './media-type.js';

describe('a media type', () => {
  it.each([
    ['text/plain', 'declared'],
    ['TEXT/HTML; charset=utf-8', 'declared'],
    ['application/javascript', 'declared'],
    ['application/json', 'json'],
    ['application/problem+json;charset=utf-8', 'json'],
    ['application/x-ndjson', 'json'],
    ['application/graphql', 'json'],
    ['application/xml', 'xml'],
    ['application/soap+xml', 'xml'],
    ['text/xml', 'xml'],
    ['application/x-www-form-urlencoded', 'form'],
    ['multipart/form-data; boundary=x', 'multipart'],
    ['multipart/mixed; boundary=x', 'opaque'],
    ['application/octet-stream', 'opaque'],
    ['image/svg+xml', 'xml'],
    ['image/png', 'opaque'],
    ['application/grpc', 'opaque'],
  ] satisfies [string, MediaType['kind']][])('%s is %s', (header, kind) => {
    expect(mediaType(header).kind).toBe(kind);
  });

  it.each([
    '',
    ' ',
    'json',
    'image',
    'image/',
    '/png',
    'image/png, application/json',
    'image /png',
    'image/p\ng',
  ])('%j is none, so it counts as text', (header) => {
    expect(mediaType(header).kind).toBe('json');
  });

  it.each([
    ['text/plain', []],
    ['text/plain; charset=UTF-8', ['utf-8']],
    ['text/plain ;\tCharset = utf-16 ; format=flowed', ['utf-16']],
    ['text/plain; charset="utf-8"', ['utf-8']],
    ['text/plain; charset="u\\tf-8"', ['utf-8']],
    ['text/plain; charset=utf-8; charset=utf-16', ['utf-8', 'utf-16']],
    ['text/plain; charset=', []],
    ['text/plain; charset', []],
    ['text/plain; xcharset=a;;', []],
    ['text/plain; charset="utf-8', ['"utf-8']],
    ['multipart/form-data; boundary=--charset-of', []],
  ])('%s has the charsets %j', (header, charsets) => {
    expect(mediaType(header).charsets).toEqual(charsets);
  });

  it.each([
    // A reader without quoted strings, one that splits at commas, and one that knows RFC 8187 find UTF-7.
    'application/x-www-form-urlencoded; x="; charset=utf-7; y="',
    'application/json; x="\\"; charset=utf-7"; charset=utf-8',
    'application/json, charset=utf-7',
    "application/x-www-form-urlencoded; charset*=utf-8''utf-7",
    'application/x-www-form-urlencoded; charset*0=utf; charset*1=-7',
  ])('%s has one that nobody knows', (header) => {
    const labels = mediaType(header).charsets;
    expect(labels.some((label) => label !== 'utf-8')).toBe(true);
    for (const label of labels)
      if (label !== 'utf-8') expect(() => new TextDecoder(label)).toThrow(RangeError);
  });

  it.each(['boundary=a; boundary=b', "boundary=a; boundary*=utf-8''b"])(
    'has no boundary: %s',
    (parameters) => {
      expect(mediaType(`multipart/form-data; ${parameters}`).boundary).toBeUndefined();
    },
  );

  it('keeps the case of a boundary', () => {
    expect(mediaType('multipart/form-data; boundary="aB; c"').boundary).toBe('aB; c');
  });
});
