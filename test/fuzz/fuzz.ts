import fc from 'fast-check';
import { vi } from 'vitest';

/** Set by `npm run fuzz`; in the test command the seed is fixed, so that a red test stays red. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_501);
/** The test command's seed is always the same, so half of the runs say nearly as much. */
const FACTOR = Number(process.env.FUZZ_FACTOR ?? 0.5);

/** @param runs so many with FUZZ_FACTOR=1 */
export function fuzzed(runs: number): fc.Parameters<unknown> {
  return { seed: SEED, numRuns: Math.ceil(runs * FACTOR) };
}

// Only the long run needs it.
vi.setConfig({ testTimeout: 60_000 * Math.max(1, FACTOR) });

/** Any bytes, some of them long enough to span several reads. */
export const anyBytes = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2048 }) },
);

/** How to damage bytes: replace, insert or leave out some of them, cut the end off, or repeat the whole. */
export const damages = fc.array(
  fc.record({
    at: fc.nat(),
    how: fc.constantFrom('replace', 'insert', 'remove', 'cut', 'repeat'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 6 },
);

export function damaged(
  bytes: Uint8Array,
  plan: readonly { at: number; how: string; bytes: Uint8Array }[],
): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (const { at: anywhere, how, bytes: other } of plan) {
    const at = anywhere % (result.length + 1);
    const [before, after] = [result.subarray(0, at), result.subarray(at)];
    if (how === 'replace') result = Buffer.concat([before, other, after.subarray(other.length)]);
    else if (how === 'insert') result = Buffer.concat([before, other, after]);
    else if (how === 'remove') result = Buffer.concat([before, after.subarray(other.length)]);
    else if (how === 'cut') result = before;
    else result = Buffer.concat([result, before]);
  }
  return result;
}

/** Cuts bytes into chunks at places drawn at random. */
export function split(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...cuts, bytes.length].map((end, i) => bytes.subarray(cuts[i - 1] ?? 0, end));
}

/** Text with everything in it that has ever gone wrong somewhere. */
export const oddText = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '',
    ' ',
    '\t',
    '\r\n',
    '\r\nX-Injected: 1',
    '\0',
    '\u007f',
    '\u0085',
    '\u2028',
    '\ud800',
    '\udce9',
    '\udc80\udcff',
    '\ufeff',
    '\ufffd',
    '\u212a',
    'ı',
    'é',
    'e\u0301',
    '😀',
    'a'.repeat(9000),
    ' '.repeat(5000),
    'null',
    'undefined',
    '[object Object]',
    '-1',
    '1e400',
    '0x1f4',
    '200 OK',
    '%',
    '%00',
    '%2e%2e',
    '../../etc/passwd',
    '__proto__',
    'constructor',
    'toString',
  ),
);
