import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laidOut } from './layout.js';

describe('a body', () => {
  it.each([
    ['{"a":1,"b":[],"c":{"d":"x, y: {"}}', '{\n  "a": 1,\n  "b": [],\n  "c": {\n    "d": "x, y: {"\n  }\n}'],
    [
      '{"id":12345678901234567890,"a":1.0,"a":2}',
      '{\n  "id": 12345678901234567890,\n  "a": 1.0,\n  "a": 2\n}',
    ],
    ['{"a":[1,"cut o… 40 more', '{\n  "a": [\n    1,\n    "cut o… 40 more'],
    ['a=1&b=two+words&c=', 'a=1\n&b=two+words\n&c='],
    [
      '<a b="1"><c>x</c><d/><e>\n  <f>y</f></e></a>',
      '<a b="1">\n  <c>x</c>\n  <d/>\n  <e>\n    <f>y</f>\n  </e>\n</a>',
    ],
    [
      '<?xml version="1.0"?><a><![CDATA[<b>]]><!-- c --></a>',
      '<?xml version="1.0"?>\n<a>\n  <![CDATA[<b>]]>\n  <!-- c -->\n</a>',
    ],
    ['one\r\ntwo', 'one\ntwo'],
    ['{not json', '{not json'],
    ['<!doctype html><html><br></html>', '<!doctype html><html><br></html>'],
    ['', ''],
  ])('%j', (text, laid) => expect(laidOut(text)).toBe(laid));

  it('of JSON is what JSON.stringify would lay out', () => {
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue())), (value) => {
        expect(laidOut(JSON.stringify(value))).toBe(JSON.stringify(value, undefined, 2));
        expect(laidOut(JSON.stringify(value, undefined, '\t'))).toBe(JSON.stringify(value, undefined, 2));
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it('takes a time that grows with it', () => {
    for (const piece of ['<!--', '<![CDATA[', '<a>', '</a>', '{"a":[', '"', '\\', '&', '<'])
      expect(laidOut(piece.repeat(50_000)).length).toBeGreaterThan(10_000);
  });
});
