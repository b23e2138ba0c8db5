import fc from 'fast-check';
import { expect, test } from 'vitest';
import { textFromBytes } from './wire-reader.js';
import { WireWriter } from './wire-writer.js';

function bytesOf(text: string): Buffer {
  const writer = new WireWriter();
  for (const part of ['*', text, '*']) writer.text(part);
  const { length } = writer;
  const bytes = Buffer.concat(writer.finish());
  expect(bytes.length).toBe(length);
  expect(bytes[0]).toBe(0x2a);
  expect(bytes.at(-1)).toBe(0x2a);
  return bytes.subarray(1, -1);
}

test.each([
  ['a Latin-1 header value', 'caf\xe9 \xff', 'latin1', 'caf\udce9 \udcff'],
  ['a sequence cut off', 'e282', 'hex', '\udce2\udc82'],
  ['an overlong form', 'c0af', 'hex', '\udcc0\udcaf'],
  ['a surrogate in UTF-8', 'eda080', 'hex', '\udced\udca0\udc80'],
  ['beyond U+10FFFF', 'f4908080', 'hex', '\udcf4\udc90\udc80\udc80'],
  ['a wrong byte behind a character of two units', 'f09f9880ff', 'hex', '😀\udcff'],
  ['a real U+FFFD', 'efbfbd', 'hex', '\ufffd'],
  ['a real U+FFFD and a wrong byte', 'efbfbdff', 'hex', '\ufffd\udcff'],
] as const)('%s survives as text', (_name, bytes, encoding, text) => {
  const buffer = Buffer.from(bytes, encoding);
  expect(textFromBytes(buffer)).toBe(text);
  expect(bytesOf(text)).toEqual(buffer);
});

test('any bytes go to text and back unchanged', () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text)),
    fc.integer({ min: 200, max: 400 }).map((length) => Buffer.alloc(length, 'a')),
  );
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 6 }), (chunks) => {
      const bytes = Buffer.concat(chunks);
      expect(bytesOf(textFromBytes(bytes)).equals(bytes)).toBe(true);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('valid UTF-8 is read as by everybody else, long or short, and from the middle of a buffer', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (text) => {
      const bytes = Buffer.from(`xx${text}yyy`);
      expect(textFromBytes(bytes, 2, bytes.length - 3)).toBe(bytes.subarray(2, bytes.length - 3).toString());
    }),
    { seed: 2, numRuns: 200 },
  );
});

test('a surrogate that stands for no byte is written as U+FFFD', () => {
  expect(bytesOf('a\ud800b\udfff')).toEqual(Buffer.from('a\ufffdb\ufffd'));
});
