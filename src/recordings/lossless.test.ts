// What is recorded is read as it was, but for what the reader names as missing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exchangeFields } from '../telemetry/exchange-recorder.js';
import { hasRedaction, messageOf, textOf, withoutCutMark, withoutMarks } from '../telemetry/gap-marks.js';
import { createLog } from '../telemetry/logger.js';
import { printable } from '../telemetry/printable.js';
import { createTelemetry } from '../telemetry/telemetry.js';
import { gapsOf } from './gaps.js';
import { readLogRecord, type SidebandLine } from './log-record.js';

const RECORDED = { body: 16_000, text: 8000, url: 8000 };

/** Written into a line and read out of it. */
function readBack(payload: object, shown = RECORDED): unknown {
  const exchange = {
    ...{ phase: 'access' as const, requestId: 'r', provider: 'https://pa', secretHeaderName: 'X-S' },
    ...{ payload: JSON.stringify(payload), answer: '{}' },
  };
  const line = printable(JSON.stringify(exchangeFields(exchange, shown)));
  expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  return (readLogRecord(line) as SidebandLine).payload;
}

const letters = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.toWellFormed());
const odd = fc.constantFrom(
  '[redacted]',
  '[redacted+]',
  '… 3 more',
  '… 0 more',
  '\r\n',
  '\t',
  '\u202e',
  '\u2028',
  '\u0000',
  '\u{e0001}',
  '"',
  '\\',
  '\\u000a',
  '<a>',
  '&',
  '=',
  'é',
);
const text = fc.array(fc.oneof(letters, odd), { maxLength: 8 }).map((parts) => parts.join(''));
const body = fc.oneof(
  text,
  fc.jsonValue().map((value) => JSON.stringify(value, undefined, 2)),
  fc.array(fc.tuple(letters, letters)).map((pairs) => new URLSearchParams(pairs).toString()),
  text.map((inside) => `--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n${inside}\r\n--b--\r\n`),
  text.map((inside) => `<?xml version="1.0"?>\r\n<a b="c">\r\n\t<d>${inside}</d>\r\n</a>`),
);
const name = fc.stringMatching(/^x-[a-z]{1,10}$/);
const payload = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  url: text.map((path) => `https://api.example:443/${path}`),
  headers: fc.array(
    fc.tuple(name, text).map(([key, value]) => ({ [key]: value })),
    { maxLength: 4 },
  ),
  body,
});

describe('a recorded message', () => {
  it('is read as it was, but for named gaps', () => {
    let gaps = 0;
    fc.assert(
      fc.property(payload, (message) => {
        const read = readBack(message);
        const { redacted, cut } = gapsOf(read);
        const missing = new Set([...redacted, ...cut]);
        gaps += missing.size;
        const got = messageOf(read) as typeof message;
        if (!missing.has('url')) expect(got.url).toBe(message.url);
        if (!missing.has('body')) expect(got.body).toBe(message.body);
        expect(got.headers).toHaveLength(message.headers.length);
        for (const [index, field] of message.headers.entries()) {
          const [key = ''] = Object.keys(field);
          if (!missing.has(`header:${key}`)) expect(got.headers[index]).toEqual(field);
        }
      }),
      { numRuns: 1500, seed: 19 },
    );
    // Nearly all of them are complete, or the property says little.
    expect(gaps).toBeLessThan(150);
  });

  it('has each of its blanked parts named', () => {
    const message = {
      url: 'https://api.example:443/a?access_token=x1',
      headers: [{ 'x-vault-token': 'x1' }, { 'x-plain': '[redacted]' }],
      body: '{\n  "password": "x1",\r\n  "note": "[redacted]"\n}',
    };
    const read = readBack(message);
    expect(gapsOf(read)).toEqual({ redacted: ['url', 'header:x-vault-token', 'body'], cut: [] });
    expect(messageOf(read)).toEqual({
      url: 'https://api.example:443/a?access_token=[redacted]',
      headers: [{ 'x-vault-token': '[redacted]' }, { 'x-plain': '[redacted]' }],
      body: '{\n  "password": "[redacted]",\r\n  "note": "[redacted]"\n}',
    });
  });

  it('is cut where it says so, and not where it only looks so', () => {
    const read = readBack({ url: 'u', headers: [], body: 'x'.repeat(50) }, { ...RECORDED, body: 20 });
    expect(read).toMatchObject({ body: `${'x'.repeat(20)}… 30 more` });
    expect(gapsOf(read).cut).toEqual(['body']);
    const other = readBack({ url: 'u', headers: [], body: 'only three… 3 more' });
    expect(gapsOf(other).cut).toEqual([]);
    expect(messageOf(other)).toMatchObject({ body: 'only three… 3 more' });
  });

  it('comes out of the log of enable_debug_logging as well', () => {
    const lines: string[] = [];
    const output = { write: (line: string) => void lines.push(line) };
    const log = createLog({ output, maxLineBytes: Number.MAX_SAFE_INTEGER });
    const message = {
      method: 'GET',
      url: 'u',
      headers: [{ 'x-a': 'a\u202eb' }],
      body: '{\r\n "a": "\u2028"\n}',
    };
    createTelemetry(log).sidebandExchange({
      ...{ phase: 'access', provider: 'https://pa', secretHeaderName: 'X-S', answer: '{}' },
      payload: JSON.stringify(message),
    });
    expect(lines.join('')).toMatch(/^[\x20-\x7e]*\n$/);
    expect((readLogRecord(lines[0]?.trim()) as SidebandLine).payload).toEqual(message);
  });

  it('can hold any text beside the marks', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(hasRedaction(withoutMarks(one))).toBe(false);
        expect(textOf(withoutCutMark(withoutMarks(one)))).toBe(one);
      }),
      { numRuns: 1000, seed: 5 },
    );
  });
});
