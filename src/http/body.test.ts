import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CountingMemory } from '../../test/model/counting-memory.js';
import { bytes, SHOW_ALL } from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type BodyRules, type BodySettings, bodyRules, decodeBody } from './body.js';
import { type HeaderField, HeaderList } from './headers.js';
import { type MemoryReservation, UNLIMITED_MEMORY } from './memory-reservation.js';

const ALL: BodyRules = { ...bodyRules('request', SHOW_ALL), encoded: 'forward', maxBytes: 1_000_000 };
const read = (body: Uint8Array, fields: readonly HeaderField[] = [], rules: Partial<BodyRules> = {}) =>
  decodeBody(body, HeaderList.from(fields), { ...ALL, ...rules }, UNLIMITED_MEMORY);
/** The text, or the reason why there is none. */
const shown = async (
  body: Uint8Array,
  fields: readonly HeaderField[] = [],
  rules: Partial<BodyRules> = {},
) => {
  try {
    const view = await read(body, fields, rules);
    if (view.kind === 'text') return view.text;
    return view.kind === 'omitted' ? `omitted ${view.reason}` : view.kind;
  } catch (thrown) {
    if (!(thrown instanceof PingAuthError)) throw thrown;
    if (thrown.code === 'request_body_too_large') return 'too_large';
    return `unreadable ${thrown.detail?.split(':', 1)[0]}`;
  }
};
const type = (value: string): HeaderField => ['content-type', value];
const encoded = (value: string): HeaderField => ['content-encoding', value];
const BAD = Uint8Array.of(0x7b, 0xff, 0x7d);

describe('a readable body', () => {
  it('is read when it is plain', async () => {
    expect(await read(bytes('{"a":"é"}'), [type('application/json')])).toEqual({
      kind: 'text',
      text: '{"a":"é"}',
      charset: 'utf-8',
    });
  });

  it('says how it was written', async () => {
    expect(
      await read(gzipSync(Buffer.from('é', 'latin1')), [type('text/plain; charset=latin1'), encoded('gzip')]),
    ).toEqual({ kind: 'text', text: 'é', charset: 'windows-1252' });
  });

  it('is absent when there is none, whatever the headers say', async () => {
    const headers = [type('application/json; charset=x'), encoded('x')];
    expect(await read(bytes(''), headers, { send: false })).toEqual({ kind: 'absent' });
  });

  it('is not looked into when it is switched off', async () => {
    expect(await shown(BAD, [encoded('x')], { send: false, maxBytes: 1 })).toBe('omitted disabled');
  });

  it('ends at the limit, as it came and decoded', async () => {
    const text = 'x'.repeat(900);
    expect(await shown(bytes(text), [], { maxBytes: 899 })).toBe('too_large');
    expect(await shown(bytes(text), [], { maxBytes: 900 })).toBe(text);
    expect(await shown(gzipSync(text), [encoded('gzip')], { maxBytes: 899 })).toBe('too_large');
    expect(await shown(gzipSync(text), [encoded('gzip')], { maxBytes: 900 })).toBe(text);
    expect(await shown(gzipSync(text), [encoded('gzip')], { maxBytes: 20 })).toBe('too_large');
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
    expect(await shown(gzipSync('{}'), [type(value), encoded('gzip')])).toBe('{}');
    expect(await shown(bytes('{}'), [type(value), encoded('x')])).toBe('unreadable unknown_encoding');
    expect(await shown(bytes('{}'), [type(value), encoded('gzip')])).toBe('unreadable ambiguous_encoding');
    expect(await shown(BAD, [type(value), encoded('gzip')])).toBe('unreadable broken_encoding');
    expect(await shown(BAD, [type(value)])).toBe('unreadable wrong_charset_bytes');
    expect(await shown(gzipSync(BAD), [type(value), encoded('gzip')])).toBe('unreadable wrong_charset_bytes');
    if (!value.includes('/')) return;
    expect(await shown(bytes('{}'), [type(`${value}; charset=utf-7`)])).toBe('unreadable unknown_charset');
    expect(await shown(bytes('{"a"}'), [type(`${value}; charset=utf-16`)])).toMatch(/^unreadable /);
  });
});

describe('a body', () => {
  it('without a type is text', async () => {
    expect(await shown(bytes('{}'))).toBe('{}');
    expect(await shown(BAD)).toBe('unreadable wrong_charset_bytes');
    expect(await shown(bytes('{}'), [encoded('x')])).toBe('unreadable unknown_encoding');
  });

  it.each(['application/octet-stream', 'image/png', 'application/grpc', 'multipart/mixed; boundary=b'])(
    'of the type %s is left out when it is no text as it stands',
    async (value) => {
      expect(await shown(bytes('{}'), [type(value)])).toBe('{}');
      expect(await shown(BAD, [type(value)])).toBe('omitted not_utf8');
      expect(await shown(gzipSync('{}'), [type(value), encoded('gzip')])).toBe('omitted content_encoding');
      expect(await shown(bytes('{}'), [type(value), encoded('x')])).toBe('omitted content_encoding');
    },
  );

  it('with several types is read when they are the same, or all no text', async () => {
    const json = type('application/json');
    expect(await shown(bytes('{}'), [json, json])).toBe('{}');
    expect(await shown(bytes('{}'), [json, type('text/plain')])).toBe('unreadable ambiguous_content_type');
    expect(await shown(bytes('{}'), [type('image/png'), json])).toBe('unreadable ambiguous_content_type');
    expect(await shown(BAD, [type('image/png'), type('image/gif')])).toBe('omitted not_utf8');
  });
});

describe('the memory of a body', () => {
  const json = HeaderList.from([type('application/json')]);
  it('is reserved before the text is made: one byte a character, or two', async () => {
    for (const [text, bytesPerByte] of [
      ['a'.repeat(1000), 1],
      ['é'.repeat(1000), 2],
    ] as const) {
      const body = bytes(text);
      const memory = new CountingMemory();
      await decodeBody(body, json, ALL, memory);
      expect(memory.held).toBe(bytesPerByte * body.length);
      const tight = new CountingMemory(memory.held - 1);
      await expect(decodeBody(body, json, ALL, tight)).rejects.toMatchObject({ code: 'server_overloaded' });
    }
  });

  it('is none for a body that is not shown', async () => {
    const memory = new CountingMemory();
    await decodeBody(BAD, HeaderList.from([type('image/png')]), ALL, memory);
    await decodeBody(BAD, json, { ...ALL, send: false }, memory);
    expect(memory.most).toBe(0);
  });

  it('is given back for the encoded form of a body that goes on as it came', async () => {
    const headers = HeaderList.from([type('application/json'), encoded('gzip')]);
    const memory = new CountingMemory();
    await decodeBody(gzipSync('{"a":1}'), headers, ALL, memory);
    expect(memory.held).toBe(7);
    await decodeBody(gzipSync('{"a":1}'), headers, { ...ALL, encoded: 'decode' }, memory);
    expect(memory.held).toBe(7 + 7 + 7);
  });
});

describe('a large body', () => {
  const SIZE = 8 * 1024 * 1024;
  /** How often others had their turn. */
  const turnsDuring = async (work: () => Promise<unknown>) => {
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await work();
    isDone = true;
    return turns;
  };

  it.each([
    ['windows-1252', Buffer.alloc(SIZE, 0x80), 'text/plain; charset=windows-1252'],
    ['UTF-8 that is no ASCII', Buffer.alloc(SIZE, 'é'), 'application/json'],
    ['UTF-16', Buffer.alloc(SIZE, 'a\0'), 'text/plain; charset=utf-16le'],
    [
      'a charset of several bytes',
      Buffer.alloc(SIZE, Buffer.from('b0a1', 'hex')),
      'text/plain; charset=gb18030',
    ],
    ['one compared with UTF-8', Buffer.alloc(SIZE, 'a\xff', 'latin1'), 'application/json; charset=latin1'],
    ['one compared with an XML declaration', xmlOf(SIZE), 'application/xml; charset=latin1'],
    ['a part of a form', formOf(SIZE), 'multipart/form-data; boundary=b'],
  ])('in %s is decoded in steps of a megabyte', async (_what, body, contentType) => {
    const headers = HeaderList.from([type(contentType)]);
    const decoding = () => decodeBody(body, headers, { ...ALL, maxBytes: 2 * SIZE }, UNLIMITED_MEMORY);
    expect(await turnsDuring(decoding)).toBeGreaterThanOrEqual(SIZE / 1_048_576 - 1);
  });

  it('in UTF-8 is cut between characters', async () => {
    const text = `a${'漢😀é'.repeat(400_000)}`;
    expect(await shown(bytes(text), [], { maxBytes: SIZE })).toBe(text);
  });

  it('in UTF-16 is cut between them as well', async () => {
    const text = `a${'漢😀é'.repeat(400_000)}`;
    const body = Buffer.from(text, 'utf16le');
    expect(await shown(body, [type('text/plain; charset=utf-16le')], { maxBytes: SIZE })).toBe(text);
  });

  function xmlOf(size: number): Buffer {
    return Buffer.from(`<?xml version="1.0" encoding="iso-8859-1"?>${'\xe9'.repeat(size)}`, 'latin1');
  }

  function formOf(size: number): Buffer {
    return Buffer.from(`--b\r\nContent-Type: text/plain; charset=latin1\r\n\r\n${'a'.repeat(size)}\r\n--b--`);
  }
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
  ])('%j: %s → %s', async (body_content_types, value, isWanted) => {
    const { contentTypes } = bodyRules('request', { ...SHOW_ALL, body_content_types });
    const fields = value === '' ? [] : [type(value)];
    expect(await shown(bytes('{}'), fields, { contentTypes })).toBe(isWanted ? '{}' : 'omitted content_type');
    // Not wanted, so nobody looks what it is.
    expect(await shown(BAD, [...fields, encoded('x')], { contentTypes })).not.toBe('{}');
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
    expect(await shown(zipped, [CONTENT_TYPE, encoded('gzip')])).toBe('omitted not_utf8');
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

  it('has at most 1000 parts, where they have to be read', async () => {
    const odd = part('Content-Type: text/plain; charset=latin1', 'e');
    const many = (count: number) => form(...Array.from({ length: count }, () => odd));
    expect(await shown(many(1000), [CONTENT_TYPE])).toBe(many(1000).toString());
    expect(await shown(many(1001), [CONTENT_TYPE])).toBe('too_large');
    const binary = form(...Array.from({ length: 1001 }, () => part(file, '\xff')));
    expect(await shown(binary, [CONTENT_TYPE])).toBe('too_large');
  });

  it('has no endless boundary and no endless head of a part', async () => {
    const long = 'b'.repeat(71);
    const body = Buffer.from(`--${long}\r\n${file}\r\n\r\n\xff\r\n--${long}--`, 'latin1');
    expect(await shown(body, [type(`multipart/form-data; boundary=${long}`)])).toBe(
      'unreadable wrong_charset_bytes',
    );
    const head = form(part(`${file}\r\nX: ${'x'.repeat(17_000)}`, '\xff'));
    expect(await shown(head, [CONTENT_TYPE])).toBe('unreadable wrong_charset_bytes');
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

  const NAMED = 'Content-Disposition: form-data; name="role"';
  const UTF_7 = 'text/plain; charset=utf-7';
  it.each([
    ['on a folded line', `${NAMED}\r\nContent-Type: text/plain;\r\n charset=utf-7`],
    ['in a second type', `${NAMED}\r\nContent-Type: text/plain\r\nContent-Type: ${UTF_7}`],
    ['behind a blank before the colon', `${NAMED}\r\nContent-Type : ${UTF_7}`],
    ['behind a bare line feed', `${NAMED}\r\nX: y\nContent-Type: ${UTF_7}`],
    ['behind a bare carriage return', `${NAMED}\r\nX: y\rContent-Type: ${UTF_7}`],
    ['as RFC 8187 writes it', `${NAMED}\r\nContent-Type: text/plain; charset*=utf-8''utf-7`],
    ['of what is a file to some readers', `${NAMED}; x="a; filename=b"\r\nContent-Type: ${UTF_7}`],
  ])('is unreadable when a charset stands %s', async (_where, head) => {
    expect(await shown(form(part(head, '+AGEAZABtAGkAbg-')), [CONTENT_TYPE])).toBe(
      'unreadable ambiguous_charset',
    );
  });

  it('is unreadable when its field _charset_ makes other texts of its parts', async () => {
    const charsetForm = (charset: string, value: string) =>
      form(part('Content-Disposition: form-data; name="_charset_"', charset), part(NAMED, value));
    expect(await shown(charsetForm('utf-7', '+AGE-'), [CONTENT_TYPE])).toBe('unreadable ambiguous_charset');
    expect(await shown(charsetForm('iso-8859-1', 'Ã©'), [CONTENT_TYPE])).toBe('unreadable ambiguous_charset');
    expect(await shown(charsetForm('UTF-8', 'Ã©'), [CONTENT_TYPE])).toBe(
      charsetForm('UTF-8', 'Ã©').toString(),
    );
    expect(await shown(charsetForm('iso-8859-1', 'e'), [CONTENT_TYPE])).toBe(
      charsetForm('iso-8859-1', 'e').toString(),
    );
  });

  it('is unreadable with two boundaries where its parts have to be read', async () => {
    const body = form(part(`${NAMED}\r\nContent-Type: text/plain; charset=utf-8`, 'v'));
    const two = [type('multipart/form-data; boundary="a b"; boundary=c')];
    expect(await shown(body, two)).toBe('unreadable ambiguous_charset');
  });
});

const JSON_TYPE: HeaderField = ['content-type', 'application/json; charset=utf-8'];
const OPAQUE: HeaderField = ['content-type', 'application/octet-stream'];
const show = (body: Uint8Array, fields: readonly HeaderField[] = [], settings: Partial<BodySettings> = {}) =>
  decodeBody(
    body,
    HeaderList.from(fields),
    bodyRules('request', { ...SHOW_ALL, ...settings }),
    UNLIMITED_MEMORY,
  );
const showOfResponse = (
  body: Uint8Array,
  fields: readonly HeaderField[] = [],
  settings: Partial<BodySettings> = {},
) =>
  decodeBody(
    body,
    HeaderList.from(fields),
    bodyRules('response', { ...SHOW_ALL, ...settings }),
    UNLIMITED_MEMORY,
  );

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
  it('is the text, whole, also one that Kong spilled to disk', async () => {
    expect(await show(bytes('{"a":"é"}'))).toMatchObject({ kind: 'text', text: '{"a":"é"}' });
    const big = 'x'.repeat(5_000_000);
    expect(await show(bytes(big))).toMatchObject({ kind: 'text', text: big });
  });

  it('is the text that compressed bytes stand for, with the decoded bytes for the upstream', async () => {
    const fields: HeaderField[] = [JSON_TYPE, ['content-encoding', 'gzip']];
    const text = '{"a":"é"}';
    expect(await show(gzipSync(text), fields)).toMatchObject({
      kind: 'text',
      text,
      decoded: Buffer.from(text),
    });
    const forward = await show(gzipSync(text), fields, { encoded_request_bodies: 'forward' });
    expect(forward).toEqual({ kind: 'text', text, charset: 'utf-8' });
    const onMcp = await show(gzipSync(text), fields, { encoded_request_bodies: 'forward', mcp: true });
    expect(onMcp).toHaveProperty('decoded');
    const reject = { encoded_request_bodies: 'reject' } as const;
    expect(await refusalOf(() => show(gzipSync(text), fields, reject))).toBe('request_body_encoded 415');
    expect(await show(bytes(text), [['content-encoding', 'identity']], reject)).toMatchObject({ text });
    // The upstream is not the attacker: its response stays as it came.
    expect(await showOfResponse(gzipSync(text), fields)).not.toHaveProperty('decoded');
  });

  it('is nothing when there is none, whatever the settings', async () => {
    expect(await show(bytes(''), [], { send_request_body: false })).toEqual({ kind: 'absent' });
    expect(await show(bytes(''), [['content-encoding', 'x']], { opaque_bodies: 'reject' })).toEqual({
      kind: 'absent',
    });
  });

  it('is nothing when it is switched off, and then no rule can refuse it', async () => {
    const off = { send_request_body: false, max_request_body_bytes: 1, opaque_bodies: 'reject' } as const;
    for (const fields of [[], [OPAQUE], [JSON_TYPE]])
      expect(await show(Uint8Array.of(0xff, 0xfe), fields, off)).toEqual({
        kind: 'omitted',
        reason: 'disabled',
      });
  });

  it('ends at the limit, which itself is allowed', async () => {
    expect(await show(bytes('12345'), [], { max_request_body_bytes: 5 })).toMatchObject({ kind: 'text' });
    const tight = { max_request_body_bytes: 4 };
    expect(await show(bytes('12345'), [], { ...tight, request_body_over_limit: 'omit' })).toEqual({
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
    expect(await show(body, fields)).toEqual({ kind: 'omitted', reason });
    expect(await show(body, fields, { opaque_bodies: 'allow_unreadable' })).toEqual({
      kind: 'omitted',
      reason,
    });
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
    expect(await show(body, fields, { opaque_bodies: 'allow_unreadable' })).toEqual(omitted);
    expect(await showOfResponse(body, fields, { opaque_bodies: 'allow_unreadable' })).toEqual(omitted);
  });

  it('takes identity for no encoding', async () => {
    expect(await show(bytes('{}'), [['content-encoding', 'Identity']])).toMatchObject({ kind: 'text' });
  });

  it.each([
    [['application/json'], true],
    [['text/*', '*+json'], false],
    [['application/*'], true],
    [['*/*'], true],
    [['APPLICATION/JSON'], true],
    [['application/jso'], false],
  ])('goes by the content types %j', async (patterns, isShown) => {
    const shown = await show(bytes('{}'), [JSON_TYPE], { body_content_types: patterns });
    expect(shown).toMatchObject(
      isShown ? { kind: 'text', text: '{}' } : { kind: 'omitted', reason: 'content_type' },
    );
  });

  it('matches a structured suffix, and never a missing type', async () => {
    const only = { body_content_types: ['*+json'] };
    const omitted = { kind: 'omitted', reason: 'content_type' };
    expect(await show(bytes('{}'), [['content-type', 'application/problem+json']], only)).toMatchObject({
      kind: 'text',
    });
    expect(await show(bytes('{}'), [], only)).toEqual(omitted);
    const two = (second: string): HeaderField[] => [
      ['content-type', 'text/html'],
      ['content-type', second],
    ];
    expect(await show(bytes('{}'), two('text/plain'), only)).toEqual(omitted);
    const strict = { ...only, opaque_bodies: 'reject' } as const;
    expect(await codeOf(() => show(bytes('{}'), two('text/plain'), strict))).toBe('request_body_opaque');
    // One that is to be shown cannot be hidden behind another one.
    const doubtful = two('application/problem+json');
    expect(await refusalOf(() => show(bytes('{}'), doubtful, only))).toBe('request_body_unreadable 400');
    expect(await show(bytes('{}'), doubtful, { ...only, opaque_bodies: 'allow_unreadable' })).toEqual({
      kind: 'omitted',
      reason: 'unreadable',
    });
  });
});

describe('Brotli bodies of clients', () => {
  /** Decodes to 16 MiB; the decoder fills its window of 16 MiB before its first output. */
  const bomb = brotliCompressSync(Buffer.alloc(16 * 1024 * 1024), {
    params: { [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  const decode = (body: Uint8Array = bomb, memory: MemoryReservation = UNLIMITED_MEMORY) =>
    codeOf(() => decodeBody(body, HeaderList.from([encoded('br')]), ALL, memory));

  it('never take the event loop from others, however few bytes they have', async () => {
    expect(bomb.length).toBeLessThan(20);
    let turns = 0;
    let isOver = false;
    const refusal = decode().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      turns += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await refusal).toBe('request_body_too_large');
    // In one step it would be two or three.
    expect(turns).toBeGreaterThan(20);
  });

  it('are decoded one after the other', async () => {
    const changes: string[] = [];
    const memoryOf = (name: string): MemoryReservation => ({
      grow: () => void changes.push(name),
      shrink: () => void changes.push(name),
    });
    await Promise.all(['a', 'b', 'c'].map((name) => decode(bomb, memoryOf(name))));
    expect(changes.join('')).toMatch(/^a+b+c+$/);
  });

  it('are refused when too many of them wait', async () => {
    const small = brotliCompressSync('hello');
    const codes = await Promise.all(Array.from({ length: 70 }, () => decode(small)));
    expect(codes.filter((code) => code === 'server_overloaded')).toHaveLength(6);
    expect(codes.filter((code) => code === 'nothing')).toHaveLength(64);
  });
});
