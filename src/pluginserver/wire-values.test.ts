import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readStruct, readValue, WireError, WireReader } from './wire-reader.js';
import { WireWriter, writeStruct, writeValue } from './wire-writer.js';

const fromKong = (base64: string): WireReader => new WireReader(Buffer.from(base64, 'base64'));

function encoded(write: (writer: WireWriter) => void): Buffer {
  const writer = new WireWriter();
  write(writer);
  const length = writer.length;
  const bytes = Buffer.concat(writer.finish());
  expect(bytes.length).toBe(length);
  return bytes;
}

// Replies of Kong 3.9.3, recorded.
test.each([
  ['a string', 'GgNzdHI=', 'str'],
  ['an empty string', 'GgA=', ''],
  ['an integer', 'EQAAAAAAAEVA', 42],
  ['a fraction', 'EQAAAAAAAPg/', 1.5],
  ['zero', 'EQAAAAAAAAAA', 0],
  ['true', 'IAE=', true],
  ['what was never set', 'CAE=', null],
  ['a list', 'MgoKAxoBYQoDGgFi', ['a', 'b']],
  ['bytes that are not UTF-8', 'GgQA//5B', '\0\udcff\udcfeA'],
  [
    'a nested table',
    'KkMKBwoBZRICKgAKLwoBYRIqKigKJgoBYhIhMh8KCREAAAAAAADwPwoFGgN0d28KCyoJCgcKAWMSAiABCgcKAW8SAioA',
    { e: {}, a: { b: [1, 'two', { c: true }] }, o: {} },
  ],
])('Kong sends %s', (_name, base64, value) => {
  expect(readValue(fromKong(base64))).toEqual(value);
});

test('headers that occur once are strings, others lists', () => {
  const reply =
    'ChYKBGhvc3QSDhoMY29yZS5wYi50ZXN0ChwKB3gtdGhyZWUSETIPCgMaATEKAxoBMgoDGgEzCiAKBmFjY2VwdBIWMhQKCxoJdGV4dC9odG1sCgUaAyovKgoVCgV4LXR3bxIMMgoKAxoBYQoDGgFiChoKBmNvb2tpZRIQMg4KBRoDYT0xCgUaA2I9Mg==';
  expect(readStruct(fromKong(reply))).toEqual({
    host: 'core.pb.test',
    'x-three': ['1', '2', '3'],
    accept: ['text/html', '*/*'],
    'x-two': ['a', 'b'],
    cookie: ['a=1', 'b=2'],
  });
});

test('a header named __proto__ is an entry like any other', () => {
  const bytes = encoded((writer) => writeStruct(writer, JSON.parse('{"__proto__":"v","a":"b"}')));
  const struct = readStruct(new WireReader(bytes));
  expect(Object.entries(struct)).toEqual([
    ['__proto__', 'v'],
    ['a', 'b'],
  ]);
  expect(Object.getPrototypeOf(struct)).toBe(Object.prototype);
});

test('what is written is read back the same', () => {
  const leaf = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constant(null),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('value')),
      fc.dictionary(fc.string(), tie('value')),
    ),
  }));
  fc.assert(
    fc.property(value, (one) => {
      // JSON has no -0, undefined or prototype: what remains is what Kong could hold.
      const plain = JSON.parse(JSON.stringify(one));
      expect(readValue(new WireReader(encoded((writer) => writeValue(writer, plain))))).toEqual(plain);
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('bytes are written as a string of these bytes, entries with undefined are left out', () => {
  const bytes = encoded((writer) => writeStruct(writer, { a: new Uint8Array([0xff, 0x41]), b: undefined }));
  expect(readStruct(new WireReader(bytes))).toEqual({ a: '\udcffA' });
});

test('large strings and large bytes keep their place', () => {
  const struct = { first: 'x'.repeat(300_000), bytes: Buffer.alloc(200_000, 'y'), last: 'é'.repeat(100_000) };
  const bytes = encoded((writer) => writeStruct(writer, struct));
  expect(readStruct(new WireReader(bytes))).toEqual({ ...struct, bytes: 'y'.repeat(200_000) });
});

test('what has no form in Kong is refused before anything is sent', () => {
  const self: unknown[] = [];
  self.push(self);
  for (const value of [() => 1, Symbol('s'), 1n, self]) {
    expect(() => writeValue(new WireWriter(), value)).toThrow(TypeError);
  }
});

test('cut and nested-too-deep messages are errors, not hangs or crashes', () => {
  const whole = Buffer.from(
    'KkMKBwoBZRICKgAKLwoBYRIqKigKJgoBYhIhMh8KCREAAAAAAADwPwoFGgN0d28KCyoJCgcKAWMSAiABCgcKAW8SAioA',
    'base64',
  );
  for (let end = 1; end < whole.length; end++) {
    expect(() => readValue(new WireReader(whole, 0, end))).toThrow(WireError);
  }
  let deep = Buffer.from('CAE=', 'base64');
  for (let i = 0; i < 100; i++) {
    const list = encoded((writer) => {
      writer.bytesField(10, deep);
      writer.close(50, 0);
    });
    deep = Buffer.from(list);
  }
  expect(() => readValue(new WireReader(deep))).toThrow(/deep/);
});

test('numbers of every length are read and written', () => {
  for (const number of [0, 1, 127, 128, 16383, 16384, 2 ** 31 - 1, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 31)]) {
    expect(new WireReader(encoded((writer) => writer.varint(number))).varint()).toBe(number);
  }
  const over = new WireReader(Buffer.from('ffffffffffffffff7f', 'hex'));
  expect(() => over.varint()).toThrow(/range/);
  expect(() => new WireReader(Buffer.alloc(11, 0xff)).varint()).toThrow(/ten bytes/);
});

test('random bytes are a value or an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        readValue(new WireReader(Buffer.from(bytes)));
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
    { seed: 4, numRuns: 2000 },
  );
});
