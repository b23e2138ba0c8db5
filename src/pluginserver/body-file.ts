import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import { PdkCallError } from './plugin-module.js';

/**
 * Reads a request body that nginx put into a file. Only regular files (no symlink) below one of `folders` are read.
 *
 * @throws PdkCallError ERR_BODY_FILE when the file is elsewhere, is no regular file or can't be read; ERR_BODY_TOO_LARGE
 *   when it has more than `maxBytes`.
 */
export async function readBodyFile(
  path: string,
  maxBytes: number,
  folders: readonly string[],
): Promise<Uint8Array> {
  const real = await allowedPath(path, folders);
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(real, flags).catch((cause) => {
    throw refused(path, 'cannot be opened', cause);
  });
  try {
    return await readWhole(file, path, maxBytes);
  } finally {
    await file.close();
  }
}

/** The file's own name in its real folder, so that no symlink on the way leads out of the allowed folders. */
async function allowedPath(path: string, folders: readonly string[]): Promise<string> {
  if (!isAbsolute(path) || path.includes('\0')) throw refused(path, 'is not an absolute path');
  const folder = await realpath(dirname(path)).catch((cause) => {
    throw refused(path, 'is in no folder that can be read', cause);
  });
  for (const allowed of folders) {
    const real = await realpath(allowed).catch(() => undefined);
    if (real === undefined) continue;
    if (folder === real || folder.startsWith(real === sep ? sep : real + sep))
      return join(folder, basename(path));
  }
  throw refused(path, 'is not below a folder given by --body-dir');
}

async function readWhole(file: FileHandle, path: string, maxBytes: number): Promise<Uint8Array> {
  const stat = await file.stat();
  if (!stat.isFile()) throw refused(path, 'is no regular file');
  if (stat.size > maxBytes) throw tooLarge(stat.size, maxBytes);
  const body = Buffer.allocUnsafeSlow(stat.size);
  let at = 0;
  while (at < body.length) {
    const { bytesRead } = await file.read(body, at, body.length - at, at);
    if (bytesRead === 0) throw refused(path, 'became shorter while it was read');
    at += bytesRead;
  }
  return body;
}

export function tooLarge(bytes: number, maxBytes: number): PdkCallError {
  return new PdkCallError('ERR_BODY_TOO_LARGE', `the body has ${bytes} bytes, ${maxBytes} are allowed`);
}

function refused(path: string, reason: string, cause?: unknown): PdkCallError {
  return new PdkCallError('ERR_BODY_FILE', `body file ${JSON.stringify(path)} ${reason}`, { cause });
}
