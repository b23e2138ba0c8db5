import { closeSync, fchmodSync, fstatSync, openSync } from 'node:fs';
import { LineWriter } from './line-writer.js';

const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const RETRY_OPEN_MS = 10_000;

export interface LogFile {
  /** Never throws and never waits. */
  write(line: string): void;
  /** After logrotate has moved the file away: continues in a new one under the old name. */
  reopen(): void;
  /** Writes what waits, as far as the disk lets it, and closes. */
  close(): void;
}

/**
 * Appends whole log lines to `path`, whose folder must be there. A disk that is full or a file that cannot be opened costs the lines,
 * never a request: `report` is called once when it starts and once when writing works again.
 * @param name of the file in what is reported: `log file`
 * @param mode of a new file; one that is there already and has 0600 wanted of it is closed to others, too
 */
export function openLogFile(
  path: string,
  name: string,
  report: (problem: string, error?: Error) => void,
  mode = 0o640,
): LogFile {
  let fd: number | undefined;
  let closed = false;
  let triedAt = 0;
  const writer = new LineWriter(undefined, {
    maxWaitingBytes: MAX_WAITING_BYTES,
    onState(error, lost) {
      if (error) report(`${name} cannot be written; requests go on without it`, error);
      else
        report(lost === 0 ? `${name} is written again` : `${name} is written again, ${lost} lines were lost`);
    },
  });
  const open = (): void => {
    triedAt = Date.now();
    try {
      fd = openFile(path, mode);
      const before = writer.replace(fd);
      // A write may be under way with it; it is over long before a second has passed, or it does not matter.
      if (before !== undefined) setTimeout(() => closeQuietly(before), 1000).unref();
    } catch (thrown) {
      writer.fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  open();

  return {
    write(line) {
      if (fd === undefined && Date.now() - triedAt > RETRY_OPEN_MS) open();
      writer.write(line);
    },
    reopen: () => {
      if (!closed) open();
    },
    close() {
      if (closed) return;
      closed = true;
      writer.close();
      if (fd !== undefined) closeQuietly(fd);
    },
  };
}

/** @throws Error when it cannot be opened, or cannot be closed to others */
function openFile(path: string, mode: number): number {
  const fd = openSync(path, 'a', mode);
  if (mode !== 0o600) return fd;
  try {
    const status = fstatSync(fd);
    if (status.isFile() && (status.mode & 0o077) !== 0) fchmodSync(fd, mode);
    return fd;
  } catch (thrown) {
    closeQuietly(fd);
    throw thrown;
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Closed already: nothing is left to do.
  }
}
