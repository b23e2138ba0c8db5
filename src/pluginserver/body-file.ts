import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, sep } from 'node:path';
import type { RawBody } from './messages.js';
import type { BodyLimits, SharedMemory } from './options.js';
import { type BodyErrorCode, PdkCallError } from './plugin-module.js';

const BODY_FOLDER = 'client_body_temp';
const FILE_NAME = /^\d{10}$/;

/**
 * The request body that Kong's reply holds or names.
 *
 * @param wanted how many bytes the plugin takes; 0 or nothing: as many as the server allows
 * @throws PdkCallError ERR_BODY_TOO_LARGE, and as {@link readBodyFile}
 */
export async function bodyOf(reply: RawBody, wanted: unknown, limits: BodyLimits): Promise<Uint8Array> {
  const maxBytes = Number(wanted ?? 0) > 0 ? Number(wanted) : limits.maxBodyBytes;
  const { content = new Uint8Array(0), file, error } = reply;
  if (error !== undefined)
    throw new PdkCallError('ERR_BODY_FILE', `Kong cannot read the request body: ${error}`);
  if (file !== undefined) return readBodyFile(file, maxBytes, limits.bodyDirs, limits.memory);
  if (content.length > maxBytes) throw tooLarge(content.length, maxBytes);
  return content;
}

/**
 * Reads a request body that nginx put into a file. Kong names the path, and it is read only when it has nginx's own form:
 * a folder `client_body_temp`, nginx's level folders if there are any, ten digits. It has to be a regular file (no link of
 * either kind) that belongs to the user of this process, and lie below one of `folders` if some are given. Memory for it is
 * reserved by its real size, while it is read.
 *
 * @throws PdkCallError ERR_BODY_PATH for any other file; ERR_BODY_FILE when it can't be read; ERR_BODY_TOO_LARGE when it has
 *   more than `maxBytes`; ERR_NO_MEMORY.
 */
export async function readBodyFile(
  path: string,
  maxBytes: number,
  folders: readonly string[] | undefined,
  memory?: SharedMemory,
): Promise<Uint8Array> {
  if (!hasNginxForm(path))
    throw refused(
      'ERR_BODY_PATH',
      path,
      `is not one that nginx gives to a body (…/${BODY_FOLDER}/0123456789)`,
    );
  const real = folders === undefined ? path : await pathBelow(path, folders);
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(real, flags).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ELOOP') throw refused('ERR_BODY_PATH', path, 'is a link', cause);
    const remedy = "this server has to see Kong's files and to run as the user of Kong's workers";
    throw refused('ERR_BODY_FILE', path, `cannot be opened (${cause.code}): ${remedy}`, cause);
  });
  try {
    return await readWhole(file, path, maxBytes, memory);
  } finally {
    await file.close();
  }
}

/** nginx's client_body_temp_path can have up to three levels, named by the last digits of the file: …/1/23/0000004231 */
function hasNginxForm(path: string): boolean {
  if (!isAbsolute(path) || path.includes('\0') || normalize(path) !== path) return false;
  const name = basename(path);
  if (!FILE_NAME.test(name)) return false;
  let digits = '';
  let folder = dirname(path);
  for (let level = 0; level < 3 && basename(folder) !== BODY_FOLDER; level++) {
    // The outermost folder holds the last digits.
    digits += basename(folder);
    folder = dirname(folder);
  }
  return basename(folder) === BODY_FOLDER && name.endsWith(digits);
}

/** The file's own name in its real folder, so that no link on the way leads out of the allowed folders. */
async function pathBelow(path: string, folders: readonly string[]): Promise<string> {
  const folder = await realpath(dirname(path)).catch((cause) => {
    throw refused('ERR_BODY_FILE', path, 'is in no folder that can be read', cause);
  });
  for (const allowed of folders) {
    const real = await realpath(allowed).catch(() => undefined);
    if (real === undefined) continue;
    if (folder === real || folder.startsWith(real === sep ? sep : real + sep))
      return join(folder, basename(path));
  }
  throw refused('ERR_BODY_PATH', path, 'is not below a folder given by --body-dir');
}

async function readWhole(
  file: FileHandle,
  path: string,
  maxBytes: number,
  memory?: SharedMemory,
): Promise<Uint8Array> {
  const stat = await file.stat();
  if (!stat.isFile()) throw refused('ERR_BODY_PATH', path, 'is no regular file');
  // nginx makes no second name for a body; a hard link could be to any file of this user's.
  if (stat.nlink > 1) throw refused('ERR_BODY_PATH', path, 'has more than one name');
  const user = process.geteuid?.();
  if (stat.uid !== user)
    throw refused('ERR_BODY_PATH', path, `belongs to user ${stat.uid}, and this server runs as user ${user}`);
  if (stat.size > maxBytes) throw tooLarge(stat.size, maxBytes);
  if (memory?.reserve(stat.size) === false)
    throw new PdkCallError('ERR_NO_MEMORY', `the request body has ${stat.size} bytes`);
  try {
    const body = Buffer.allocUnsafeSlow(stat.size);
    let at = 0;
    while (at < body.length) {
      const { bytesRead } = await file.read(body, at, body.length - at, at);
      if (bytesRead === 0) throw refused('ERR_BODY_FILE', path, 'became shorter while it was read');
      at += bytesRead;
    }
    return body;
  } finally {
    memory?.giveBack(stat.size);
  }
}

function tooLarge(bytes: number, maxBytes: number): PdkCallError {
  const message = `the body has ${bytes} bytes, ${maxBytes} are allowed`;
  return new PdkCallError('ERR_BODY_TOO_LARGE', message, { bytes });
}

function refused(code: BodyErrorCode, path: string, reason: string, cause?: unknown): PdkCallError {
  return new PdkCallError(code, `body file ${JSON.stringify(path)} ${reason}`, { cause });
}
