import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLossless, decodeUtf8, encodeLossless, hasLoneSurrogate, toWireText } from './text.js';

describe('text', () => {
  it('gives valid UTF-8 as it is', () => {
    expect(decodeLossless(Buffer.from('plain'))).toBe('plain');
    expect(decodeLossless(Buffer.from('café €😀'))).toBe('café €😀');
  });

  it.each([
    ['a Latin-1 byte', [0x63, 0xe9], 'c\udce9'],
    ['a byte that never occurs in UTF-8', [0xff], '\udcff'],
    ['a cut sequence', [0xe2, 0x82], '\udce2\udc82'],
    ['an overlong slash', [0xc0, 0xaf], '\udcc0\udcaf'],
    ['an encoded surrogate', [0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
    ['a value over U+10FFFF', [0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
    ['a bad byte between good ones', [0xc3, 0xa9, 0xe9, 0xc3, 0xa9], 'é\udce9é'],
  ])('keeps %s apart', (_case, raw, expected) => {
    expect(decodeLossless(Uint8Array.from(raw))).toBe(expected);
    expect([...encodeLossless(expected)]).toEqual(raw);
  });

  it('brings any bytes back unchanged', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (raw) => {
        expect([...encodeLossless(decodeLossless(raw))]).toEqual([...raw]);
      }),
      { seed: 4711, numRuns: 2000 },
    );
  });

  it('writes U+FFFD for a surrogate that stands for no byte', () => {
    expect([...encodeLossless('\ud800\udc41\ud800')]).toEqual([...Buffer.from('\u{10041}\ufffd')]);
    expect([...encodeLossless('\udc0a')]).toEqual([0xef, 0xbf, 0xbd]); // never a line feed
  });

  it('shows other bytes as ISO-8859-1', () => {
    expect(toWireText('caf\udce9 \udcff')).toBe('café ÿ');
    expect(toWireText('café 😀')).toBe('café 😀');
  });

  it('reads bodies strictly and keeps a byte order mark', () => {
    const body = Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]);
    const shown = decodeUtf8(body) ?? '';
    expect(shown).toBe('\ufeff{}');
    expect(Buffer.from(shown)).toEqual(body);
    expect(decodeUtf8(Uint8Array.of(0x7b, 0xe9))).toBeUndefined();
  });

  it('knows half a surrogate pair', () => {
    expect(hasLoneSurrogate('\udc0a')).toBe(true);
    expect(hasLoneSurrogate('😀')).toBe(false);
  });
});
