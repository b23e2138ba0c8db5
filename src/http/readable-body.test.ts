import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytes } from '../../test/model/messages.js';
import { type HeaderField, HeaderList } from './header-list.js';
import { type ReadingRules, readableBody, unreadableStatus } from './readable-body.js';

const ALL: ReadingRules = { send: true, maxBytes: 1_000_000, contentTypes: [] };
const read = (body: Uint8Array, fields: readonly HeaderField[] = [], rules: Partial<ReadingRules> = {}) =>
  readableBody(body, HeaderList.from(fields), { ...ALL, ...rules });
/** The text, or the reason why there is none. */
const shown = async (
  body: Uint8Array,
  fields: readonly HeaderField[] = [],
  rules: Partial<ReadingRules> = {},
) => {
  const result = await read(body, fields, rules);
  if (result.kind === 'text') return result.text;
  return 'reason' in result ? `${result.kind} ${result.reason}` : result.kind;
};
const type = (value: string): HeaderField => ['content-type', value];
const coded = (value: string): HeaderField => ['content-encoding', value];
const BAD = Uint8Array.of(0x7b, 0xff, 0x7d);

describe('a readable body', () => {
  it('is read at once when it is plain', () => {
    expect(read(bytes('{"a":"é"}'), [type('application/json')])).toEqual({
      kind: 'text',
      text: '{"a":"é"}',
      contentEncodings: [],
      charset: 'utf-8',
    });
  });

  it('says how it was written', async () => {
    expect(
      await read(gzipSync(Buffer.from('é', 'latin1')), [type('text/plain; charset=latin1'), coded('gzip')]),
    ).toEqual({ kind: 'text', text: 'é', contentEncodings: ['gzip'], charset: 'windows-1252' });
  });

  it('is absent when there is none, whatever the headers say', () => {
    const headers = [type('application/json; charset=x'), coded('x')];
    expect(read(bytes(''), headers, { send: false })).toEqual({ kind: 'absent' });
  });

  it('is not looked into when it is switched off', async () => {
    expect(await shown(BAD, [coded('x')], { send: false, maxBytes: 1 })).toBe('omitted disabled');
  });

  it('ends at the limit, as it came and decoded', async () => {
    const text = 'x'.repeat(900);
    expect(await shown(bytes(text), [], { maxBytes: 899 })).toBe('too_large');
    expect(await shown(bytes(text), [], { maxBytes: 900 })).toBe(text);
    expect(await shown(gzipSync(text), [coded('gzip')], { maxBytes: 899 })).toBe('too_large');
    expect(await shown(gzipSync(text), [coded('gzip')], { maxBytes: 900 })).toBe(text);
    expect(await shown(gzipSync(text), [coded('gzip')], { maxBytes: 20 })).toBe('too_large');
    expect(await shown(bytes(text), [type('image/png')], { maxBytes: 899 })).toBe('too_large');
  });
});

describe.each([
  'text/plain',
  'application/json',
  'application/problem+json',
  'application/xml',
  'application/soap+xml',
  'application/x-www-form-urlencoded',
  'application/graphql',
  'application/x-ndjson',
  'application/javascript',
  'multipart/form-data; boundary=b',
  'text/event-stream',
  'json',
  '',
])('text of the type %j', (value) => {
  it('is shown or unreadable, never left out', async () => {
    expect(await shown(bytes('{}'), [type(value)])).toBe('{}');
    expect(await shown(gzipSync('{}'), [type(value), coded('gzip')])).toBe('{}');
    expect(await shown(bytes('{}'), [type(value), coded('x')])).toBe('unreadable unknown_coding');
    expect(await shown(bytes('{}'), [type(value), coded('gzip')])).toBe('unreadable ambiguous_coding');
    expect(await shown(BAD, [type(value), coded('gzip')])).toBe('unreadable broken_coding');
    expect(await shown(BAD, [type(value)])).toBe('unreadable wrong_charset_bytes');
    expect(await shown(gzipSync(BAD), [type(value), coded('gzip')])).toBe('unreadable wrong_charset_bytes');
    if (!value.includes('/')) return;
    expect(await shown(bytes('{}'), [type(`${value}; charset=utf-7`)])).toBe('unreadable unknown_charset');
    expect(await shown(bytes('{"a"}'), [type(`${value}; charset=utf-16`)])).toMatch(/^unreadable /);
  });
});

describe('a body', () => {
  it('without a type is text', async () => {
    expect(await shown(bytes('{}'))).toBe('{}');
    expect(await shown(BAD)).toBe('unreadable wrong_charset_bytes');
    expect(await shown(bytes('{}'), [coded('x')])).toBe('unreadable unknown_coding');
  });

  it.each(['application/octet-stream', 'image/png', 'application/grpc', 'multipart/mixed; boundary=b'])(
    'of the type %s is left out when it is no text as it stands',
    async (value) => {
      expect(await shown(bytes('{}'), [type(value)])).toBe('{}');
      expect(await shown(BAD, [type(value)])).toBe('omitted not_utf8');
      expect(await shown(gzipSync('{}'), [type(value), coded('gzip')])).toBe('omitted content_encoding');
      expect(await shown(bytes('{}'), [type(value), coded('x')])).toBe('omitted content_encoding');
    },
  );

  it('with several types is read when they are the same, or all no text', async () => {
    const json = type('application/json');
    expect(await shown(bytes('{}'), [json, json])).toBe('{}');
    expect(await shown(bytes('{}'), [json, type('text/plain')])).toBe('unreadable ambiguous_content_type');
    expect(await shown(bytes('{}'), [type('image/png'), json])).toBe('unreadable ambiguous_content_type');
    expect(await shown(BAD, [type('image/png'), type('image/gif')])).toBe('omitted not_utf8');
  });

  it('answers 415 for what is not known here, 400 for what is wrong', () => {
    expect(unreadableStatus('unknown_coding')).toBe(415);
    expect(unreadableStatus('unknown_charset')).toBe(415);
    expect(unreadableStatus('broken_coding')).toBe(400);
    expect(unreadableStatus('ambiguous_content_type')).toBe(400);
  });
});

describe('body_content_types', () => {
  it.each([
    [['application/json'], 'application/json; charset=utf-8', true],
    [['APPLICATION/JSON'], 'Application/JSON', true],
    [['*+json'], 'application/problem+json', true],
    [['text/*', '*+json'], 'application/json', false],
    [['application/*'], 'application/json', true],
    [['*/*'], 'image/png', true],
    [['application/jso'], 'application/json', false],
    [['*+json'], '', false],
  ])('%j: %s → %s', async (contentTypes, value, isWanted) => {
    const fields = value === '' ? [] : [type(value)];
    expect(await shown(bytes('{}'), fields, { contentTypes })).toBe(isWanted ? '{}' : 'omitted content_type');
    // Not wanted, so nobody looks what it is.
    expect(await shown(BAD, [...fields, coded('x')], { contentTypes })).not.toBe('{}');
    if (!isWanted) expect(await shown(BAD, fields, { contentTypes })).toBe('omitted content_type');
  });

  it('are not got round by a second type', async () => {
    const contentTypes = ['application/json'];
    const two = [type('application/json'), type('image/png')];
    expect(await shown(bytes('{}'), two, { contentTypes })).toBe('unreadable ambiguous_content_type');
    const others = [type('text/plain'), type('image/png')];
    expect(await shown(bytes('{}'), others, { contentTypes })).toBe('omitted content_type');
  });
});

describe('form data', () => {
  const CONTENT_TYPE = type('multipart/form-data; boundary="a b"');
  const part = (head: string, content: string) => `--a b\r\n${head}\r\n\r\n${content}\r\n`;
  const form = (...parts: string[]) => Buffer.from(`${parts.join('')}--a b--\r\n`, 'latin1');
  const field = part('Content-Disposition: form-data; name="x"', 'v');
  const file = 'Content-Disposition: form-data; name="f"; filename="f.csv"\r\nContent-Type: text/csv';
  const image = 'Content-Disposition: form-data; name="i"\r\nContent-Type: image/png';

  it('is shown whole when all of it is UTF-8, files too', async () => {
    const body = form(field, part(file, 'a,b'), part(image, 'svg'));
    expect(await shown(body, [CONTENT_TYPE])).toBe(body.toString());
  });

  it('is left out when a file or another part that is no text is not', async () => {
    expect(await shown(form(field, part(file, '\xff')), [CONTENT_TYPE])).toBe('omitted not_utf8');
    expect(await shown(form(field, part(image, '\xff')), [CONTENT_TYPE])).toBe('omitted not_utf8');
    const zipped = gzipSync(form(field, part(file, '\xff')));
    expect(await shown(zipped, [CONTENT_TYPE, coded('gzip')])).toBe('omitted not_utf8');
    const late = Buffer.concat([Buffer.from('\r\n'), form(part(file, '\xff'))]);
    expect(await shown(late, [CONTENT_TYPE])).toBe('omitted not_utf8');
  });

  it.each([
    ['a field with bytes that are wrong', form(part('Content-Disposition: form-data; name="x"', '\xff'))],
    ['such a field without a head', form(part('', '\xff'))],
    ['no end', Buffer.from(part(image, '\xff'), 'latin1')],
    ['a second part without an end', Buffer.from(part(image, '\xff') + part(image, '\xff'), 'latin1')],
    ['something before the first part', Buffer.from(`x\r\n${part(image, '\xff')}--a b--`, 'latin1')],
    ['another boundary', Buffer.from(`--c\r\n${image}\r\n\r\n\xff\r\n--c--`, 'latin1')],
    ['a part that never ends its head', form(`--a b\r\n${image}\r\n\xff\r\n`)],
  ])('is unreadable with %s', async (_what, body) => {
    expect(await shown(body, [CONTENT_TYPE])).toBe('unreadable wrong_charset_bytes');
    expect(await shown(body, [type('multipart/form-data')])).toBe('unreadable wrong_charset_bytes');
  });

  it('is unreadable when a part says it is another text than it is', async () => {
    const plain = (charset: string, content: string) =>
      form(part(`Content-Type: text/plain; charset=${charset}`, content));
    expect(await shown(plain('utf-8', 'Ã©'), [CONTENT_TYPE])).toBe(plain('utf-8', 'Ã©').toString());
    expect(await shown(plain('latin1', 'e'), [CONTENT_TYPE])).toBe(plain('latin1', 'e').toString());
    expect(await shown(plain('latin1', 'Ã©'), [CONTENT_TYPE])).toBe('unreadable ambiguous_charset');
    expect(await shown(plain('utf-16', 'ab'), [CONTENT_TYPE])).toBe('unreadable ambiguous_charset');
    const asFile = form(part(`${file}; charset=utf-16`, 'ab'));
    expect(await shown(asFile, [CONTENT_TYPE])).toBe(asFile.toString());
  });
});
