import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib';
import { type BodyRules, decodeBody } from '../../src/http/body.js';
import { HeaderList } from '../../src/http/headers.js';
import { UNLIMITED_MEMORY } from '../../src/http/memory-reservation.js';
import { digits, median, printTable } from '../support/report.js';

/**
 * `npm run bench -- bodies`: what it costs to read a compressed body, beside bare decompressing and reading the same body
 * plain. All of it in this process, in turns; the functions alone, no Kong and no provider.
 */
const MEGABYTE = 1024 * 1024;
const SIZES = [2048, 65_536, MEGABYTE, 4 * MEGABYTE];
const ROUNDS = 41;
const RULES: BodyRules = {
  direction: 'response',
  send: true,
  maxBytes: 8 * MEGABYTE,
  overLimit: 'reject',
  contentTypes: [],
  opaque: 'omit',
  encoded: 'forward',
};
const TYPE = ['content-type', 'application/json'] as const;

const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
const CODINGS = [
  ['gzip', gzipSync, gunzipSync],
  ['deflate', deflateSync, inflateSync],
  ['br', (body: Uint8Array) => brotliCompressSync(body, quality), brotliDecompressSync],
] as const;

const rows: string[][] = [];
for (const size of SIZES) {
  const body = jsonText(size);
  for (const [contentEncoding, compress, decompress] of CODINGS) {
    const coded = compress(body);
    const plain = HeaderList.from([TYPE]);
    const compressed = HeaderList.from([TYPE, ['content-encoding', contentEncoding]]);
    const repeats = Math.max(1, Math.floor(MEGABYTE / 4 / size));
    const rounds: { bare: Cost; plain: Cost; ours: Cost }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      rounds.push({
        bare: await cost(repeats, () => decompress(coded)),
        plain: await cost(repeats, () => decodeBody(body, plain, RULES, UNLIMITED_MEMORY)),
        ours: await cost(repeats, () => decodeBody(coded, compressed, RULES, UNLIMITED_MEMORY)),
      });
    }
    // The first ones make the code hot.
    const hot = rounds.slice(ROUNDS >> 2);
    const of = (value: (round: (typeof rounds)[number]) => number) => digits(median(hot.map(value)));
    rows.push([
      ...[
        `${contentEncoding} ${size < MEGABYTE ? `${size / 1024} kB` : `${size / MEGABYTE} MB`}`,
        String(coded.length),
      ],
      ...[of(({ bare }) => bare.cpu), of(({ plain }) => plain.cpu), of(({ ours }) => ours.cpu)],
      of(({ bare, plain, ours }) => ours.cpu / (bare.cpu + plain.cpu)),
      of(({ bare, plain, ours }) => ours.wall / (bare.wall + plain.wall)),
    ]);
  }
}
printTable(
  ['body', 'coded bytes', 'decompress, CPU ms', 'read plain', 'read coded', 'CPU ratio', 'time ratio'],
  rows,
);

interface Cost {
  /** Milliseconds of all threads, zlib's included. */
  readonly cpu: number;
  readonly wall: number;
}

async function cost(repeats: number, work: () => unknown): Promise<Cost> {
  const before = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < repeats; i += 1) await work();
  const wall = (performance.now() - start) / repeats;
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1000 / repeats, wall };
}

/** JSON of so many bytes, no line like another: compresses to about a sixth, as answers of APIs do. */
function jsonText(bytes: number): Buffer {
  const lines: string[] = [];
  let state = 42;
  const next = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  for (let length = 0; length < bytes; length += lines.at(-1)?.length ?? 1) {
    const [id, cents, day] = [next(1_000_000), next(100_000), 1 + next(28)];
    lines.push(
      `{"id":${id},"name":"Zoë ${(id * 7919).toString(36)}","balance":${cents / 100},"since":"2024-0${1 + next(9)}-${day}"},`,
    );
  }
  const text = Buffer.from(lines.join('\n')).subarray(0, bytes);
  // No character may be cut at the end.
  return text.fill(' ', text.lastIndexOf(',') + 1);
}
