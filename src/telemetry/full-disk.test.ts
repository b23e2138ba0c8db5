// What becomes of the log when its disk is full, and when it is not any more. The disk is a pipe or a double: no test fills a real one.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LineWriter } from './line-writer.js';
import { openLogFile } from './log-file.js';

/** While there is a code, writes fail with it. */
const failing = { code: undefined as string | undefined, calls: 0 };
const { write } = fs;

function writeOrFail(...args: unknown[]): void {
  failing.calls += 1;
  if (failing.code === undefined) {
    (write as (...all: unknown[]) => void)(...args);
    return;
  }
  const done = args.at(-1) as (error: Error, written: number) => void;
  setImmediate(() => done(Object.assign(new Error(`${failing.code}: no`), { code: failing.code }), 0));
}

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'pa-full-'));
  failing.code = undefined;
  Object.assign(fs, { write: writeOrFail });
  syncBuiltinESMExports();
});
afterEach(() => {
  Object.assign(fs, { write });
  syncBuiltinESMExports();
  fs.rmSync(folder, { recursive: true, force: true });
});

it('a log file on a full disk loses lines, says so once, and goes on when there is room', async () => {
  const path = join(folder, 'ping.log');
  const reports: string[] = [];
  const file = openLogFile(path, 'log file', (problem) => reports.push(problem));
  file.write('before\n');
  await vi.waitFor(() => expect(fs.readFileSync(path, 'utf8')).toBe('before\n'));
  failing.code = 'ENOSPC';
  for (let round = 0; round < 3; round += 1) {
    const { calls } = failing;
    file.write(`lost ${round}\n`);
    await vi.waitFor(() => expect(failing.calls).toBeGreaterThan(calls));
  }
  await vi.waitFor(() => expect(reports).toEqual(['log file cannot be written; requests go on without it']));
  failing.code = undefined;
  await vi.waitFor(() => {
    file.write('after\n');
    expect(fs.readFileSync(path, 'utf8')).toContain('after\n');
  });
  await vi.waitFor(() => expect(reports).toHaveLength(2));
  expect(reports[1]).toBe('log file is written again, 3 lines were lost');
  file.close();
  expect(fs.readFileSync(path, 'utf8')).toMatch(/^before\n(?:after\n)+$/);
});

it('a disk that is full again is reported again', async () => {
  const reports: string[] = [];
  const file = openLogFile(join(folder, 'ping.log'), 'log file', (problem) =>
    reports.push(problem.replace(/,.*|;.*/, '')),
  );
  for (const code of ['ENOSPC', undefined, 'EIO', undefined]) {
    const { length } = reports;
    failing.code = code;
    await vi.waitFor(() => {
      file.write('x\n');
      expect(reports.length).toBe(length + 1);
    });
  }
  expect(reports).toEqual([
    'log file cannot be written',
    'log file is written again',
    'log file cannot be written',
    'log file is written again',
  ]);
  file.close();
});

it('waiting lines are bounded and counted', async () => {
  const path = join(folder, 'bound.log');
  const fd = fs.openSync(path, 'a');
  const lost: number[] = [];
  const writer = new LineWriter(fd, { maxWaitingBytes: 10, onState: (_, count) => lost.push(count) });
  failing.code = 'ENOSPC';
  for (let i = 0; i < 5; i += 1) writer.write('12345\n');
  await vi.waitFor(() => expect(lost.at(-1)).toBe(5));
  failing.code = undefined;
  writer.write('ok\n');
  await vi.waitFor(() => expect(fs.readFileSync(path, 'utf8')).toBe('ok\n'));
  writer.close();
  fs.closeSync(fd);
});
