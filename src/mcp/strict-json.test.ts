import { describe, expect, it } from 'vitest';
import { MAX_DEPTH, MAX_VALUES, readStrictJson } from './strict-json.js';

const fault = (text: string) => readStrictJson(text).fault;

describe('strict JSON', () => {
  it.each([
    '{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}',
    '"a\\":b"',
    '{"a:b":"c:d","\\":":"\\\\"}',
    '["\\\\","a:b"]',
    ' [ ] ',
    '0',
  ])('reads %s as JSON.parse does', (text) => {
    expect(readStrictJson(text)).toEqual({ value: JSON.parse(text) });
  });

  it.each([
    ['at the top', '{"a":1,"a":2}'],
    ['with the same value', '{"a":1,"a":1}'],
    ['far inside', '{"x":[{"y":{"a":1,"b":2,"a":3}}]}'],
    ['spelled with an escape', '{"name":1,"n\\u0061me":2}'],
    ['spelled with another escape', '{"a/b":1,"a\\/b":2}'],
    ['within a member that occurs twice', '{"a":{"b":1},"a":{"b":1}}'],
    ['called __proto__', '{"__proto__":1,"__proto__":2}'],
    ['called like an index', '{"1":1,"0":0,"1":1}'],
    ['without a name', '{"":1,"":1}'],
    ['behind a quote and a backslash', '{"x\\\\":"\\"","x\\\\":1}'],
  ])('refuses a member twice %s', (_where, text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(fault(text)).toBe('a member twice');
  });

  it('takes names for what they are', () => {
    expect(fault('{"a":1,"A":2,"\\u0061b":3,"__proto__":{"a":1},"constructor":1}')).toBeUndefined();
  });

  it.each([
    ['a byte order mark', '\ufeff{}'],
    ['nothing', ''],
    ['two values', '{}{}'],
    ['a comment', '{}//'],
    ['a trailing comma', '{"a":1,}'],
    ['a string without an end', '{"a":"b\\"}'],
    ['a raw line feed in a string', '{"a":"\n"}'],
    ['NaN', '{"a":NaN}'],
    ['a NUL after it', '{}\0'],
  ])('refuses %s', (_what, text) => {
    expect(fault(text)).toBe('no JSON');
  });

  it.each(['"\\ud800"', '"\\uDFFF"', '["a",{"b":"\\udc00\\ud800"}]', '{"\\ud83d":1}', '"\ud83d"'])(
    'refuses half a surrogate pair in %j',
    (text) => {
      expect(fault(text)).toBe('half a surrogate pair');
    },
  );

  it.each(['"\\ud83d\\ude00"', '"\\\\ud800"', '"\\ud83d\ude00"', '"😀"'])('takes %s', (text) => {
    expect(readStrictJson(text)).toEqual({ value: JSON.parse(text) });
  });

  it('limits the depth, before anything is built', () => {
    const nested = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth);
    expect(fault(nested(MAX_DEPTH))).toBeUndefined();
    expect(fault(nested(MAX_DEPTH + 1))).toBe('too deep');
    expect(fault(`[${'[],'.repeat(1000)}[]]`)).toBeUndefined();
    expect(fault(`"${'['.repeat(1000)}"`)).toBeUndefined();
    expect(fault('{"a":'.repeat(MAX_DEPTH + 1) + 1 + '}'.repeat(MAX_DEPTH + 1))).toBe('too deep');
    expect(fault('['.repeat(4_000_000))).toBe('too deep');
  });

  it('limits the number of values, before anything is built, and not the length of a text', () => {
    const list = (item: string, count: number) => `[${`${item},`.repeat(count - 1)}${item}]`;
    expect(fault(list('1', MAX_VALUES - 1))).toBeUndefined();
    expect(fault(list('1', MAX_VALUES + 1))).toBe('too many values');
    expect(fault(list('{}', MAX_VALUES / 2))).toBe('too many values');
    expect(fault(`"${'[,'.repeat(MAX_VALUES)}"`)).toBeUndefined();
  });
});
