import { execFileSync } from 'node:child_process';
import { chownSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readBodyFile } from './body-file.js';

let root: string;
let prefix: string;
const NAME = '0000000001';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bf-'));
  prefix = join(root, 'prefix');
  mkdirSync(join(prefix, 'client_body_temp'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const errorResponse = { code: 'ERR_BODY_PATH' };

/** Writes a file below the prefix. @returns its path */
function file(path: string, body: string | Uint8Array = 'x'): string {
  const whole = join(prefix, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, body);
  return whole;
}

const body = (content: string | Uint8Array): string => file(`client_body_temp/${NAME}`, content);

test('a body of any bytes is read whole, with and without --body-dir', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const path = body(bytes);
  expect(Buffer.from(await readBodyFile(path, 256, undefined))).toEqual(bytes);
  expect(Buffer.from(await readBodyFile(path, 256, ['/nonexistent', prefix]))).toEqual(bytes);
});

test('an empty file is an empty body', async () => {
  expect(await readBodyFile(body(''), 10, undefined)).toHaveLength(0);
});

test('a body over the limit is not read', async () => {
  await expect(readBodyFile(body('x'.repeat(101)), 100, undefined)).rejects.toMatchObject({
    code: 'ERR_BODY_TOO_LARGE',
  });
});

describe("only paths of nginx's own form are read", () => {
  test.each([
    'client_body_temp/0000000000',
    'client_body_temp/4294967295',
    'client_body_temp/1/0000000001',
    'client_body_temp/31/0000004231',
    'client_body_temp/1/23/0000004231',
    'client_body_temp/1/3/42/0000004231',
  ])('%s', async (path) => {
    expect(await readBodyFile(file(path), 10, undefined)).toHaveLength(1);
  });

  test.each([
    'client_body_temp/000000001',
    'client_body_temp/00000000001',
    'client_body_temp/000000000a',
    'client_body_temp/0000000001.txt',
    'client_body_temp/password',
    'client_body_temp/2/0000000001',
    'client_body_temp/32/1/0000004231',
    'client_body_temp/1/3/2/4/0000004231',
    'client_body_temp_2/0000000001',
    'proxy_temp/0000000001',
    '0000000001',
  ])('not %s', async (path) => {
    await expect(readBodyFile(file(path), 10, undefined)).rejects.toMatchObject(errorResponse);
    await expect(readBodyFile(file(path), 10, [prefix])).rejects.toMatchObject(errorResponse);
  });

  test('none with steps upwards, double slashes, a NUL or without its beginning', async () => {
    body('x');
    for (const path of [
      `${prefix}/elsewhere/../client_body_temp/${NAME}`,
      `${prefix}/client_body_temp/./${NAME}`,
      `${prefix}//client_body_temp/${NAME}`,
      `${prefix}/client_body_temp//${NAME}`,
      `client_body_temp/${NAME}`,
      `${prefix}/a\0b/client_body_temp/${NAME}`,
      '/etc/passwd',
      '/',
      '',
    ]) {
      await expect(readBodyFile(path, 10, undefined)).rejects.toMatchObject(errorResponse);
    }
  });
});

test('a link is refused, even one to a body', async () => {
  const link = join(prefix, 'client_body_temp', '0000000002');
  symlinkSync(body('x'), link);
  for (const folders of [undefined, [prefix]])
    await expect(readBodyFile(link, 10, folders)).rejects.toMatchObject(errorResponse);
});

test('a file with a second name is refused: nginx makes none, and it could be any file', async () => {
  const link = join(prefix, 'client_body_temp', '0000000002');
  linkSync(file('private-key.pem'), link);
  for (const folders of [undefined, [prefix]])
    await expect(readBodyFile(link, 10, folders)).rejects.toMatchObject(errorResponse);
});

test.runIf(process.geteuid?.() === 0)("a file of another user's is refused", async () => {
  const path = body('x');
  chownSync(path, 65_534, 65_534);
  await expect(readBodyFile(path, 10, undefined)).rejects.toMatchObject({
    ...errorResponse,
    message: expect.stringContaining('belongs to user 65534, and this server runs as user 0'),
  });
});

test('--body-dir: nothing beside it, and no folder that is a link out of it', async () => {
  const outside = join(root, 'elsewhere', 'client_body_temp');
  mkdirSync(outside, { recursive: true });
  writeFileSync(join(outside, NAME), 'x');
  mkdirSync(`${prefix}-too/client_body_temp`, { recursive: true });
  writeFileSync(`${prefix}-too/client_body_temp/${NAME}`, 'x');
  symlinkSync(join(root, 'elsewhere'), join(prefix, 'way-out'));
  for (const path of [
    join(outside, NAME),
    `${prefix}-too/client_body_temp/${NAME}`,
    join(prefix, 'way-out', 'client_body_temp', NAME),
  ]) {
    await expect(readBodyFile(path, 10, [prefix])).rejects.toMatchObject(errorResponse);
    expect(await readBodyFile(path, 10, undefined)).toHaveLength(1);
  }
});

test('a folder and a pipe are refused at once, a missing file cannot be read', async () => {
  const folder = join(prefix, 'client_body_temp');
  execFileSync('mkfifo', [join(folder, '0000000003')]);
  mkdirSync(join(folder, '0000000004'));
  for (const name of ['0000000003', '0000000004'])
    await expect(readBodyFile(join(folder, name), 10, undefined)).rejects.toMatchObject(errorResponse);
  await expect(readBodyFile(join(folder, '0000000005'), 10, undefined)).rejects.toMatchObject({
    code: 'ERR_BODY_FILE',
  });
});

test('memory is reserved by the size of the file while it is read; without memory it is not read', async () => {
  const path = body('x'.repeat(100));
  const calls: string[] = [];
  const memory = {
    reserve: (bytes: number) => {
      calls.push(`reserve ${bytes}`);
      return calls.length < 3;
    },
    hold() {},
    giveBack: (bytes: number) => void calls.push(`give back ${bytes}`),
  };
  expect(await readBodyFile(path, 1000, undefined, memory)).toHaveLength(100);
  expect(calls).toEqual(['reserve 100', 'give back 100']);
  await expect(readBodyFile(path, 1000, undefined, memory)).rejects.toMatchObject({ code: 'ERR_NO_MEMORY' });
  expect(calls).toEqual(['reserve 100', 'give back 100', 'reserve 100']);
});
