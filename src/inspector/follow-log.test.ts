import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/support/until.js';
import { followLog } from './follow-log.js';

let folder: string;
let file: string;
let lines: string[];
let troubles: (string | undefined)[];
let stop: AbortController;
let following: Promise<void>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-follow-'));
  file = join(folder, 'ping-auth.log');
  lines = [];
  troubles = [];
  stop = new AbortController();
  writeFileSync(file, 'one\ntwo\nhal');
  following = followLog(
    file,
    {
      onLine: ({ number, text }) => lines.push(`${number} ${text}`),
      onSkipped() {},
      onChunk() {},
      onEnd() {},
      onTrouble: (trouble) => troubles.push(trouble),
    },
    stop.signal,
  );
});
afterEach(async () => {
  stop.abort();
  await following;
  rmSync(folder, { recursive: true, force: true });
});

const see = (...expected: string[]) =>
  until(`lines are ${expected.join(', ')}`, () => lines.join() === expected.join());

it('reads a file from its start and as it grows, a line when it is whole', async () => {
  await see('1 one', '2 two');
  appendFileSync(file, 'f\nfour\n');
  await see('1 one', '2 two', '3 half', '4 four');
});

it('goes on in the new file when the old one was moved away, and loses nothing of the old one', async () => {
  await see('1 one', '2 two');
  renameSync(file, `${file}.1`);
  await until('it waits', () => troubles.some((trouble) => trouble?.includes('moved away')));
  appendFileSync(`${file}.1`, 'f\nlate\n');
  writeFileSync(file, 'new\n');
  await see('1 one', '2 two', '3 half', '4 late', '1 new');
});

it('reads lines that come late into a file that was moved away, beside the new one', async () => {
  await see('1 one', '2 two');
  renameSync(file, `${file}.1`);
  writeFileSync(file, 'new\n');
  await see('1 one', '2 two', '1 new');
  // The plugin server has not been told yet.
  appendFileSync(`${file}.1`, 'f\nlate\n');
  await see('1 one', '2 two', '1 new', '3 half', '4 late');
  appendFileSync(file, 'newer\n');
  appendFileSync(`${file}.1`, 'later\n');
  await until('both are read', () => lines.includes('2 newer') && lines.includes('5 later'));
});

it('lets go of a file that was moved away once it is quiet, with its last line', async () => {
  const [seen, other] = [[] as string[], new AbortController()];
  const reader = {
    ...{ onSkipped() {}, onChunk() {}, onEnd() {}, onTrouble() {} },
    onLine: ({ text }: { text: string | undefined }) => void seen.push(text ?? ''),
  };
  const done = followLog(file, reader, other.signal, { lateMs: 0 });
  await until('it is read', () => seen.length === 2);
  renameSync(file, `${file}.1`);
  writeFileSync(file, 'new\n');
  await until('the half line is there', () => seen.join() === 'one,two,new,hal');
  other.abort();
  await done;
});

it('reads only the end of a long file, and counts its lines all the same', async () => {
  const long = join(folder, 'long.log');
  writeFileSync(long, Array.from({ length: 12_345 }, (_, n) => `line ${n + 1}\n`).join(''));
  const [seen, other] = [[] as string[], new AbortController()];
  let skipped = 0;
  const reader = {
    ...{ onChunk() {}, onEnd() {}, onTrouble() {} },
    onSkipped(count: number) {
      skipped = count;
    },
    onLine: ({ number, text }: { number: number; text: string | undefined }) =>
      void seen.push(`${number} ${text}`),
  };
  const done = followLog(long, reader, other.signal, { lastLines: 100 });
  await until('it is read', () => seen.at(-1) === '12345 line 12345');
  expect(skipped).toBe(12_000);
  expect(seen[0]).toBe('12001 line 12001');
  other.abort();
  await done;
});

it('begins anew when the file was emptied', async () => {
  await see('1 one', '2 two');
  truncateSync(file);
  appendFileSync(file, 'a\n');
  await see('1 one', '2 two', '1 a');
});

it('says at once when there is no such file, or when it is a folder', async () => {
  const reader = { onLine() {}, onSkipped() {}, onChunk() {}, onEnd() {}, onTrouble() {} };
  await expect(followLog(join(folder, 'none'), reader, stop.signal)).rejects.toThrow(/none/);
  await expect(followLog(folder, reader, stop.signal)).rejects.toThrow(/is not a file/);
});
