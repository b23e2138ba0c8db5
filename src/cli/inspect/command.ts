import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import { followLog, type LogReader, readStream } from '../../inspector/follow-log.js';
import { pageFiles, startInspector } from '../../inspector/server.js';
import { ExchangeStore } from '../../inspector/store.js';
import { openLog } from '../../recordings/read-log.js';
import { wholeNumber } from '../option-values.js';
import { type NameOptions, readKongNames, withAdminOptions } from '../policy/kong-names.js';
import { complain, EXIT, type Terminal } from '../terminal.js';

interface Arguments extends NameOptions {
  readonly port: number;
  readonly keep: number;
}

const KEPT_BYTES = 256 * 1024 * 1024;
/** A request has a decision line and a call in each phase at most: what is further up would be dropped again. */
const LINES_OF_A_REQUEST = 4;

export function inspectCommand(terminal: Terminal): Command {
  const command = new Command('inspect')
    .summary('show the requests of a log on a page')
    .description(
      'Serves a page on this machine that shows each request of a log: what the client sent, what the policy changed, what came back.\nFILE is the one of --log-file or --record-file; it is read from its start and as it grows. With enable_debug_logging, or in the file of --record-file, it has the messages, too.',
    )
    .argument('[file]', 'log, - for standard input (the default when that is no terminal)')
    .option('--port <number>', '0 for any free one', wholeNumber(0, 65_535), 7878)
    .option(
      '--keep <number>',
      'requests that are kept; older ones are dropped',
      wholeNumber(1, 1_000_000),
      20_000,
    )
    .option('--config <file>', 'kong.yml or decK file: routes and services by name');
  return withAdminOptions(command)
    .addHelpText(
      'after',
      '\nThe link that is printed works once; the page is for the browser that opened it, and a new link is printed for another.\nNothing is written. Ctrl-C ends it.\nExit codes: 0 ended by Ctrl-C, 2 wrong usage, a file that is unreadable or not a log of ping-auth, or a port that is taken.',
    )
    .action(async (file: string | undefined, options: Arguments) => {
      const stop = new AbortController();
      const end = () => stop.abort();
      process.once('SIGINT', end).once('SIGTERM', end);
      try {
        await inspect(file, options, terminal, stop);
        terminal.exitCode(EXIT.ok);
      } catch (thrown) {
        terminal.exitCode(complain(terminal, 'inspect', thrown));
      } finally {
        process.off('SIGINT', end).off('SIGTERM', end);
      }
    });
}

/** Until `stop`. @throws Error that says what to do */
async function inspect(
  file: string | undefined,
  options: Arguments,
  terminal: Terminal,
  stop: AbortController,
): Promise<void> {
  if (file === undefined && process.stdin.isTTY)
    throw new Error('no log is given: name the file of --log-file, or - for standard input');
  const input = file === undefined || file === '-' ? undefined : file;
  const { port, keep } = options;
  const { signal } = stop;
  const names = await readKongNames(options, terminal);
  const store = new ExchangeStore({ exchanges: keep, bytes: KEPT_BYTES });
  const source = new Source(store);
  const lastLines = LINES_OF_A_REQUEST * keep;
  const reading =
    input === undefined ? readStream(openLog('-'), source) : followLog(input, source, signal, { lastLines });
  // It may fail while nobody waits for it; whoever waits for it later is told.
  reading.catch(() => {});
  try {
    if (input !== undefined) {
      // A file that cannot be read, or is no log of ours, is told about before anybody opens the page.
      await Promise.race([source.begun, reading]);
      if (signal.aborted) return;
      terminal.stdout.write(await openedInWords(input, store));
    }
    const inspector = await startInspector({
      ...{ files: pageFiles(), store, port, names },
      source: () => ({ name: input ?? 'standard input', ...source.state }),
      onOpened: (next) => terminal.stdout.write(`opened; for another browser: ${next}\n`),
    });
    try {
      terminal.stdout.write(`${inspector.url()}\n`);
      const over = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
      await Promise.race([reading.then(() => over), over]);
    } finally {
      await inspector.close();
    }
  } finally {
    stop.abort();
    if (input === undefined) process.stdin.destroy();
    else await reading.catch(() => {});
  }
}

/** What has been opened. @throws Error when it has lines, and none of them is of a plugin server of ours */
async function openedInWords(file: string, store: ExchangeStore): Promise<string> {
  const { lines, skipped } = store.counts;
  if (lines > 0 && !store.isOurs) {
    throw new Error(
      `${file} has no line of ping-auth (${amount(lines)} lines read): name the file of --log-file or --record-file, or Kong's error log at level info`,
    );
  }
  const { size } = await stat(file);
  const rest = skipped > 0 ? `; its first ${amount(skipped)} lines are not read (--keep)` : '';
  const what = lines === 0 ? 'empty so far' : sizeInWords(size);
  return `reading ${file} (${what})${rest}\n`;
}

function sizeInWords(bytes: number): string {
  if (bytes < 100_000) return `${amount(bytes)} bytes`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function amount(count: number): string {
  return count.toLocaleString('en');
}

/** What is read, on its way into the store. */
class Source implements LogReader {
  readonly state: { atEnd: boolean; closed: boolean; trouble?: string } = { atEnd: false, closed: false };
  /** When there was a line of ours, or no line is left. */
  readonly begun: Promise<void>;
  readonly #store: ExchangeStore;
  #begin: () => void = () => {};

  constructor(store: ExchangeStore) {
    this.#store = store;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
  }

  onLine(line: Parameters<LogReader['onLine']>[0]): void {
    this.#store.add(line);
  }

  onSkipped(lines: number): void {
    this.#store.skip(lines);
  }

  onChunk(): void {
    if (this.#store.isOurs) this.#begin();
    this.state.atEnd = false;
    this.#store.announce();
  }

  onEnd(closed: boolean): void {
    this.#begin();
    if (this.state.atEnd && this.state.closed === closed) return;
    Object.assign(this.state, { atEnd: true, closed });
    this.#store.announce();
  }

  onTrouble(trouble: string | undefined): void {
    if (this.state.trouble === trouble) return;
    if (trouble === undefined) delete this.state.trouble;
    else this.state.trouble = trouble;
    this.#store.announce();
  }
}
