import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type LogLine, LogLines } from '../recordings/log-lines.js';

const CHUNK_BYTES = 256 * 1024;
const POLL_MS = 200;

export interface LogReader {
  onLine(line: LogLine): void;
  /** After a chunk's lines. */
  onChunk(): void;
  /** The end, for now; `closed`: for good. */
  onEnd(closed: boolean): void;
  /** Why reading has to wait; undefined when it goes on. */
  onTrouble(trouble: string | undefined): void;
}

/**
 * Reads a log from its start and goes on as it grows, until `signal`. A file that is moved away (logrotate) is read to its
 * end before the new one of the name; one that is emptied (`copytruncate`) is read from its start again. A network mount
 * tells nobody about changes, so the file is asked every 200 ms.
 * @throws Error when the file cannot be opened at first
 */
export async function followLog(path: string, reader: LogReader, signal: AbortSignal): Promise<void> {
  let file = await openToRead(path);
  const lines = new LogLines();
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let at = 0;
  try {
    while (!signal.aborted) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at);
      if (bytesRead > 0) {
        at += bytesRead;
        for (const line of lines.push(buffer.subarray(0, bytesRead))) reader.onLine(line);
        reader.onChunk();
        continue;
      }
      reader.onEnd(false);
      await pause(POLL_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const own = await file.stat();
      if (own.size < at) {
        lines.restart();
        at = 0;
        continue;
      }
      const next = own.size === at ? await successor(path, own, reader) : undefined;
      if (next === undefined) continue;
      // Whoever writes has had the old file open until it was told about the new one.
      const late = await file.read(buffer, 0, CHUNK_BYTES, at);
      if (late.bytesRead > 0) {
        await next.close();
        at += late.bytesRead;
        for (const line of lines.push(buffer.subarray(0, late.bytesRead))) reader.onLine(line);
        continue;
      }
      for (const line of lines.end()) reader.onLine(line);
      lines.restart();
      await file.close();
      file = next;
      at = 0;
    }
  } finally {
    await file.close();
  }
}

/** Standard input, until it ends. */
export async function readStream(source: AsyncIterable<Uint8Array>, reader: LogReader): Promise<void> {
  const lines = new LogLines();
  for await (const chunk of source) {
    for (const line of lines.push(chunk)) reader.onLine(line);
    reader.onChunk();
  }
  for (const line of lines.end()) reader.onLine(line);
  reader.onChunk();
  reader.onEnd(true);
}

/** The file that has taken the place of the one that is read, if there is one. */
async function successor(
  path: string,
  own: { readonly ino: number; readonly dev: number },
  reader: LogReader,
): Promise<FileHandle | undefined> {
  try {
    const named = await stat(path);
    reader.onTrouble(undefined);
    if (named.ino === own.ino && named.dev === own.dev) return undefined;
    return await openToRead(path);
  } catch (thrown) {
    reader.onTrouble(
      (thrown as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'the file has been moved away; waiting for a new one'
        : `the file cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
    return undefined;
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  const file = await open(path, 'r');
  const kind = await file.stat();
  if (kind.isFile()) return file;
  await file.close();
  throw new Error(`${path} is not a file; name the file of --log-file, or - for standard input`);
}
