import pino from 'pino';
import { hasLoneSurrogate } from '../http/text.js';
import { REDACTED } from './gap-marks.js';
import { MAX_LINE_BYTES, shortenLine } from './line-length.js';
import { LineWriter } from './line-writer.js';
import { type LogFile, openLogFile } from './log-file.js';
import { printable } from './printable.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  readonly level?: LogLevel;
  /** Full lines go there as well. */
  readonly file?: string | undefined;
  /** Takes whole lines, line feed included. Default: standard output. */
  readonly output?: { write(line: string): void };
  /** Bytes of a line on standard output; see line-length.ts. */
  readonly maxLineBytes?: number;
}

export interface Log {
  readonly logger: pino.Logger;
  /** For lines that only the file gets; undefined when there is none. */
  readonly fileLogger: pino.Logger | undefined;
  /** From now on this value appears in no line, wherever it stands. */
  hideSecret(secret: string): void;
  /** A finished line of JSON, without its line feed, in printable characters and without the secrets that are hidden. */
  clean(line: string): string;
  /** For SIGHUP and SIGUSR1. */
  reopen(): void;
  /** Writes what waits. Lines written later are lost. */
  close(): void;
}

/** JSON lines to standard output, short enough for Kong, and in full to a file. Logging never throws and never waits. */
export function createLog(options: LogOptions = {}): Log {
  const { level = 'info', maxLineBytes = MAX_LINE_BYTES } = options;
  const output = options.output ?? standardOutput();
  const secrets = new SecretFilter();
  let file: LogFile | undefined;

  const form: pino.LoggerOptions = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorForLog },
  };
  // Escaped once the line is JSON: its texts are then read as they were, and no viewer obeys what is in them.
  const clean = (line: string) => printable(secrets.apply(line));
  const finished = (line: string) => `${clean(line.trimEnd())}\n`;
  const logger = pino(form, {
    write(line: string) {
      const whole = finished(line);
      output.write(shortenLine(whole, maxLineBytes));
      file?.write(whole);
    },
  });
  let fileLogger: pino.Logger | undefined;
  if (options.file !== undefined) {
    fileLogger = pino(form, { write: (line: string) => file?.write(finished(line)) });
    const path = options.file;
    file = openLogFile(path, 'log file', (problem, error) => {
      logger.warn({ event: 'log_file', file: path, detail: error?.message }, problem);
    });
  }
  return {
    logger,
    fileLogger,
    hideSecret: (secret) => secrets.add(secret),
    clean,
    reopen: () => file?.reopen(),
    close() {
      file?.close();
      if ('close' in output && typeof output.close === 'function') output.close();
    },
  };
}

/** No properties of the error but these: a library hangs whole requests, headers included, onto its errors. */
function errorForLog(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { type: error.name, message: error.message, code, stack: error.stack };
}

/** Kong reads our standard output through a pipe. When it is gone or full, lines are lost, requests are not. */
function standardOutput(): { write(line: string): void; close(): void } {
  const writer = new LineWriter(1, { maxWaitingBytes: 4 * 1024 * 1024 });
  process.once('exit', () => writer.close());
  return writer;
}

/** A shorter one would blank parts of ordinary words all over the log. */
const SHORTEST = 6;

/**
 * The last line of defence for secrets in logs: whatever a module above has overlooked (an error text of a library, an
 * answer of the policy provider that echoes the call), a known secret is blanked in the finished line.
 */
class SecretFilter {
  readonly #secrets = new Set<string>();

  add(secret: string): void {
    if (secret.length < SHORTEST) return;
    // A PEM key is not likely to be quoted whole.
    for (const line of secret.split(/\r?\n/)) {
      if (line !== secret && line.length >= 20 && !line.startsWith('-----')) this.add(line);
    }
    this.#secrets.add(secret);
    // As it stands inside a JSON string, and inside JSON in a JSON string (a payload quoted in a log line).
    const once = JSON.stringify(secret).slice(1, -1);
    this.#secrets.add(once);
    this.#secrets.add(JSON.stringify(once).slice(1, -1));
    if (!hasLoneSurrogate(secret)) this.#secrets.add(encodeURIComponent(secret));
  }

  apply(line: string): string {
    let clean = line;
    for (const secret of this.#secrets) {
      if (clean.includes(secret)) clean = clean.replaceAll(secret, REDACTED);
    }
    return clean;
  }
}
