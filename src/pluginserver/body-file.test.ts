import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readBodyFile } from './body-file.js';

let root: string;
let allowed: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bf-'));
  allowed = join(root, 'prefix');
  mkdirSync(join(allowed, 'client_body_temp'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const refusal = { code: 'ERR_BODY_FILE' };

test('a body of any bytes is read whole', async () => {
  const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const path = join(allowed, 'client_body_temp', '0000000001');
  writeFileSync(path, body);
  expect(Buffer.from(await readBodyFile(path, 256, ['/nonexistent', allowed]))).toEqual(body);
});

test('an empty file is an empty body', async () => {
  const path = join(allowed, 'empty');
  writeFileSync(path, '');
  expect(await readBodyFile(path, 10, [allowed])).toHaveLength(0);
});

test('a body over the limit is not read', async () => {
  const path = join(allowed, 'big');
  writeFileSync(path, 'x'.repeat(101));
  await expect(readBodyFile(path, 100, [allowed])).rejects.toMatchObject({ code: 'ERR_BODY_TOO_LARGE' });
});

test('a symlink is refused, even one to an allowed file', async () => {
  writeFileSync(join(allowed, 'real'), 'x');
  symlinkSync(join(allowed, 'real'), join(allowed, 'link'));
  await expect(readBodyFile(join(allowed, 'link'), 10, [allowed])).rejects.toMatchObject(refusal);
});

test('a folder that is a symlink out of the allowed ones is refused', async () => {
  mkdirSync(join(root, 'elsewhere'));
  writeFileSync(join(root, 'elsewhere', 'secret'), 'x');
  symlinkSync(join(root, 'elsewhere'), join(allowed, 'way-out'));
  await expect(readBodyFile(join(allowed, 'way-out', 'secret'), 10, [allowed])).rejects.toMatchObject(
    refusal,
  );
});

test('paths outside, beside, upwards, relative or with a NUL are refused', async () => {
  writeFileSync(join(root, 'outside'), 'x');
  mkdirSync(`${allowed}-too`);
  writeFileSync(`${allowed}-too/file`, 'x');
  const paths = [
    join(root, 'outside'),
    `${allowed}-too/file`,
    `${allowed}/client_body_temp/../../outside`,
    'client_body_temp/1',
    `${allowed}/a\0b`,
    '/etc/passwd',
    '',
  ];
  for (const path of paths) await expect(readBodyFile(path, 10, [allowed])).rejects.toMatchObject(refusal);
});

test('a missing file, a folder and a pipe are refused at once', async () => {
  execFileSync('mkfifo', [join(allowed, 'fifo')]);
  for (const name of ['missing', 'client_body_temp', 'fifo']) {
    await expect(readBodyFile(join(allowed, name), 10, [allowed])).rejects.toMatchObject(refusal);
  }
});
