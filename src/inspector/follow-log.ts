import { stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileProblem } from '../recordings/file-problem.js';
import { type LogLine, LogLines } from '../recordings/log-lines.js';
import { FollowedFile } from './followed-file.js';

const POLL_MS = 200;
/** A plugin server writes into the old file until it is told about the new one, which a busy machine may put off. */
const LATE_MS = 60_000;
const MAX_OLD_FILES = 3;

export interface LogReader {
  onLine(line: LogLine): void;
  /** Lines at the start of a long file that are not read. */
  onSkipped(lines: number): void;
  /** After a chunk's lines. */
  onChunk(): void;
  /** The end, for now; `closed`: for good. */
  onEnd(closed: boolean): void;
  /** Why reading has to wait; undefined when it continues. */
  onTrouble(trouble: string | undefined): void;
}

export interface FollowOptions {
  /** So many lines before the end of a long file, or a few more, are read. Default: all. */
  readonly lastLines?: number;
  /** How long a file that was moved away is read on after its last line. */
  readonly lateMs?: number;
}

interface OldFile {
  readonly file: FollowedFile;
  quietSince: number;
}

/**
 * Reads a log and goes on as it grows, until `signal`. A file that is moved away (logrotate) is read on beside the new one of
 * the name, since late lines may come; one that is emptied (`copytruncate`) is read from its start again. A network mount
 * tells nobody about changes, so the file is asked every 200 ms.
 * @throws Error when the file cannot be opened at first
 */
export async function followLog(
  path: string,
  reader: LogReader,
  signal: AbortSignal,
  { lastLines, lateMs = LATE_MS }: FollowOptions = {},
): Promise<void> {
  let current = await FollowedFile.open(path);
  const old: OldFile[] = [];
  const onLine = (line: LogLine) => reader.onLine(line);
  try {
    if (lastLines !== undefined) reader.onSkipped(await current.skipToLast(lastLines));
    while (!signal.aborted) {
      const isNew = [await readOld(old, onLine), await current.read(onLine)].includes(true);
      if (isNew) {
        reader.onChunk();
        continue;
      }
      reader.onEnd(false);
      await pause(POLL_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      for (const quiet of old.filter(({ quietSince }) => Date.now() - quietSince > lateMs)) {
        old.splice(old.indexOf(quiet), 1);
        await quiet.file.close(onLine);
      }
      const { isTruncated, isRead, isSame } = await current.state();
      if (isTruncated) current.restart();
      if (!isRead) continue;
      const next = await successor(path, isSame, reader);
      if (next === undefined) continue;
      old.push({ file: current, quietSince: Date.now() });
      if (old.length > MAX_OLD_FILES) await old.shift()?.file.close(onLine);
      current = next;
    }
  } finally {
    await Promise.all([current, ...old.map(({ file }) => file)].map((file) => file.close()));
  }
}

async function readOld(old: readonly OldFile[], onLine: (line: LogLine) => void): Promise<boolean> {
  let isNew = false;
  for (const one of old) {
    if (!(await one.file.read(onLine))) continue;
    one.quietSince = Date.now();
    isNew = true;
  }
  return isNew;
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
  isSame: (other: { readonly ino: number; readonly dev: number }) => boolean,
  reader: LogReader,
): Promise<FollowedFile | undefined> {
  try {
    const named = await stat(path);
    reader.onTrouble(undefined);
    return isSame(named) ? undefined : await FollowedFile.open(path);
  } catch (thrown) {
    reader.onTrouble(
      (thrown as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'the file has been moved away; waiting for a new one'
        : `the file cannot be read: ${fileProblem(path, thrown)}`,
    );
    return undefined;
  }
}
