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

it('begins anew when the file was emptied', async () => {
  await see('1 one', '2 two');
  truncateSync(file);
  appendFileSync(file, 'a\n');
  await see('1 one', '2 two', '1 a');
});

it('says at once when there is no such file, or when it is a folder', async () => {
  const reader = { onLine() {}, onChunk() {}, onEnd() {}, onTrouble() {} };
  await expect(followLog(join(folder, 'none'), reader, stop.signal)).rejects.toThrow(/ENOENT.*none/);
  await expect(followLog(folder, reader, stop.signal)).rejects.toThrow(/is not a file/);
});
