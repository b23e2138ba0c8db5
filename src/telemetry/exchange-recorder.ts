import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { asBuffer, parseJson } from '../http/text.js';
import { type Phase, tenths } from './decision-log.js';
import { openLogFile } from './log-file.js';
import { printable } from './printable.js';
import { LOGGED, redactMessage, type ShownCharacters } from './redaction.js';

/** One sideband call with both its messages, for `enable_debug_logging` and for recordings. */
export interface SidebandExchange {
  readonly phase: Phase;
  readonly requestId?: string | undefined;
  /** Ids in Kong, where the configuration belongs to one. */
  readonly route?: string | undefined;
  readonly service?: string | undefined;
  readonly provider: string;
  /** So that a header of that name inside the messages is blanked, too. */
  readonly secretHeaderName: string;
  /** JSON text. undefined: an answer of the shadow policy; what it was asked is in the line of the live call. */
  readonly payload: string | undefined;
  /** As it came; when none did, a text that says why. */
  readonly answer: Uint8Array | string;
  readonly ms?: number | undefined;
}

/** Takes exchanges with the policy provider for `ping-auth replay`. No method throws or waits. */
export interface ExchangeSink {
  record(exchange: SidebandExchange): void;
  /** For SIGHUP and SIGUSR1. */
  reopen(): void;
  /** Writes what waits, as far as the disk lets it. */
  close(): void;
}

export interface RecorderOptions {
  readonly path: string;
  /** Share of the requests that is recorded, 0 to 1. */
  readonly rate: number;
  /** Blanks known secrets in a finished line. */
  readonly clean: (line: string) => string;
  readonly report: (problem: string, error?: Error) => void;
  /** Bytes after which the file is moved away. */
  readonly maxBytes?: number;
  /** How many files that were moved away are kept: `path.1` is the youngest. */
  readonly keep?: number;
}

/** More than a debug line shows: what a policy reads should be there. */
const RECORDED: ShownCharacters = { body: 16_000, text: 8000, url: 8000 };
/** The reader takes longer lines for no lines of ours. */
const MAX_LINE_CHARACTERS = 1024 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;
const KEPT_FILES = 3;
/** How often a process looks whether the file has grown too large or was moved away by another one. */
const LOOK_MS = 2000;
const STALE_LOCK_MS = 10_000;

/** Only its owner may read the file: what is redacted is blanked, the rest of the messages is in it. */
const MODE = 0o600;

/** The form in which a log and a recording have a sideband call. */
export function exchangeFields(
  exchange: SidebandExchange,
  shown: ShownCharacters = LOGGED,
): Record<string, unknown> {
  const { secretHeaderName: secret } = exchange;
  return {
    event: exchange.payload === undefined ? 'shadow_call' : 'sideband',
    phase: exchange.phase,
    request_id: exchange.requestId,
    route: exchange.route,
    service: exchange.service,
    provider: exchange.provider,
    ms: exchange.ms && tenths(exchange.ms),
    payload:
      exchange.payload === undefined ? undefined : redactMessage(parsed(exchange.payload), secret, shown),
    answer: redactMessage(parsed(exchange.answer), secret, shown),
  };
}

/** The message, or its text when it is not JSON. */
function parsed(message: Uint8Array | string): unknown {
  const text = typeof message === 'string' ? message : asBuffer(message).toString('utf8');
  const value = parseJson(text);
  return value === undefined ? text : value;
}

/**
 * Appends a line for each sampled exchange, in the form of `enable_debug_logging`. Several processes may write into the
 * same file; whoever first finds it too large moves it away, the others follow.
 */
export function createExchangeRecorder(options: RecorderOptions): ExchangeSink {
  const { path, rate, clean, report, maxBytes = MAX_BYTES, keep = KEPT_FILES } = options;
  const file = openLogFile(path, 'recording', report, MODE);
  const lookAfterBytes = Math.max(1, maxBytes / 32);
  let bytes = 0;
  let lookedAt = Date.now();
  let isLooking = false;
  let isClosed = false;
  let hasComplained = false;
  let inode: number | undefined;
  void look();

  return {
    record(exchange) {
      try {
        if (isClosed || !isSampled(exchange.requestId, rate)) return;
        const head = { time: new Date().toISOString(), pid: process.pid };
        const line = JSON.stringify({ ...head, ...exchangeFields(exchange, RECORDED) });
        if (line.length > MAX_LINE_CHARACTERS) return;
        file.write(`${printable(clean(line))}\n`);
        bytes += line.length;
        if (bytes > lookAfterBytes || Date.now() - lookedAt > LOOK_MS) void look();
      } catch (thrown) {
        // What cannot be recorded is not recorded; the request knows nothing of it.
        if (!hasComplained)
          report('an exchange cannot be recorded', thrown instanceof Error ? thrown : undefined);
        hasComplained = true;
      }
    },
    reopen: () => file.reopen(),
    close() {
      isClosed = true;
      file.close();
    },
  };

  /** Never rejects. */
  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    bytes = 0;
    lookedAt = Date.now();
    try {
      const now = await stat(path).catch(() => undefined);
      if (now?.isFile() && now.size >= maxBytes) await rotate();
      const current = await stat(path).catch(() => undefined);
      // Moved away, by us or by somebody else: a new one takes its place.
      if (inode !== undefined && current?.ino !== inode && !isClosed) file.reopen();
      inode = (await stat(path)).ino;
    } catch {
      // The writer has reported already what is wrong with the file.
    } finally {
      isLooking = false;
    }
  }

  async function rotate(): Promise<void> {
    const lock = `${path}.lock`;
    try {
      // Succeeds for one process only.
      await mkdir(lock);
    } catch {
      return removeStale(lock);
    }
    try {
      if ((await stat(path)).size < maxBytes) return;
      for (let number = keep - 1; number >= 1; number -= 1) {
        await rename(`${path}.${number}`, `${path}.${number + 1}`).catch(() => undefined);
      }
      await rename(path, `${path}.1`);
    } finally {
      await rm(lock, { recursive: true, force: true });
    }
  }
}

/** Left behind by a process that was killed. */
async function removeStale(lock: string): Promise<void> {
  const { mtimeMs } = await stat(lock);
  if (Date.now() - mtimeMs > STALE_LOCK_MS) await rm(lock, { recursive: true, force: true });
}

/** Both phases of a request or neither, in whichever processes they are: the request id decides. */
function isSampled(requestId: string | undefined, rate: number): boolean {
  if (rate >= 1) return true;
  const chance = requestId === undefined ? Math.random() : crc32(requestId) / 2 ** 32;
  return chance < rate;
}
