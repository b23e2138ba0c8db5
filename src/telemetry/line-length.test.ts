import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutText, MAX_LINE_BYTES, shortenLine } from './line-length.js';

const line = (record: unknown) => `${JSON.stringify(record)}\n`;

describe('a log line for Kong', () => {
  it('is left alone when it is short', () => {
    const short = line({ level: 'info', msg: 'short', detail: 'é'.repeat(800) });
    expect(shortenLine(short)).toBe(short);
  });

  it('keeps its small members when a large one is cut', () => {
    const long = line({ level: 'info', msg: 'm', code: 'internal_error', body: 'x'.repeat(5000), n: 7 });
    const record = JSON.parse(shortenLine(long));
    expect(record).toMatchObject({ level: 'info', msg: 'm', code: 'internal_error', n: 7, shortened: true });
    expect(record.body).toMatch(/^x{100,}… \d+ more$/);
  });

  it('keeps what identifies it even when ten thousand members compete', () => {
    const many = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [`member-${i}`, 'y'.repeat(99)]),
    );
    const record = JSON.parse(
      shortenLine(line({ level: 'warn', request_id: 'r1', ...many, code: 'client_gone' })),
    );
    expect(record).toMatchObject({ level: 'warn', request_id: 'r1' });
  });

  it('is valid JSON and within the limit whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })),
        fc.string({ unit: 'binary' }),
        (o, s) => {
          const shortened = shortenLine(line({ level: 'info', ...o, payload: s.repeat(400) }));
          expect(Buffer.byteLength(shortened)).toBeLessThanOrEqual(MAX_LINE_BYTES);
          expect(JSON.parse(shortened)).toBeTypeOf('object');
          expect(shortened.indexOf('\n')).toBe(shortened.length - 1);
        },
      ),
      { numRuns: 100, seed: 6 },
    );
  });

  it('is cut between characters, not through one', () => {
    expect(cutText('ab😀cd', 3)).toBe('ab… 4 more');
  });
});
