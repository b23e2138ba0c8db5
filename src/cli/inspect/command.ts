import { Command } from 'commander';
import { followLog, type LogReader, readStream } from '../../inspector/follow-log.js';
import { pageFiles, startInspector } from '../../inspector/server.js';
import { ExchangeStore } from '../../inspector/store.js';
import { openLog } from '../../recordings/read-log.js';
import { wholeNumber } from '../option-values.js';
import { complain, EXIT, type Terminal } from '../terminal.js';

interface Arguments {
  readonly port: number;
  readonly keep: number;
}

const KEPT_BYTES = 256 * 1024 * 1024;

export function inspectCommand(terminal: Terminal): Command {
  return new Command('inspect')
    .summary("a page that shows each request's way")
    .description(
      "Serves a page on this machine that shows each request's way: what the client sent, what the policy made of it, what came back.\nFILE is the one of --log-file; it is read from its start and as it grows. With enable_debug_logging it has the messages, too.",
    )
    .argument('[file]', 'log, - for standard input (the default when that is no terminal)')
    .option('--port <number>', '0 for any free one', wholeNumber(0, 65_535), 7878)
    .option(
      '--keep <number>',
      'requests that are kept; older ones are dropped',
      wholeNumber(1, 1_000_000),
      20_000,
    )
    .addHelpText(
      'after',
      '\nThe link that is printed works once; the page is for the browser that opened it, and a new link is printed for another.\nNothing is written. Ctrl-C ends it.\nExit codes: 0 ended by Ctrl-C, 2 wrong usage, an unreadable file or a port that is taken.',
    )
    .action(async (file: string | undefined, options: Arguments) => {
      const stop = new AbortController();
      const end = () => stop.abort();
      process.once('SIGINT', end).once('SIGTERM', end);
      try {
        await inspect(file, options, terminal, stop.signal);
        terminal.exitCode(EXIT.allWell);
      } catch (thrown) {
        terminal.exitCode(complain(terminal, 'inspect', thrown));
      } finally {
        process.off('SIGINT', end).off('SIGTERM', end);
      }
    });
}

/** Until `signal`. @throws Error that says what to do */
async function inspect(
  file: string | undefined,
  { port, keep }: Arguments,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  if (file === undefined && process.stdin.isTTY)
    throw new Error('which log? Name the file of --log-file, or - for standard input');
  const isInput = file === undefined || file === '-';
  const store = new ExchangeStore({ exchanges: keep, bytes: KEPT_BYTES });
  const state = { atEnd: false, closed: false, trouble: undefined as string | undefined };
  let begun = () => {};
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const reader: LogReader = {
    onLine: (line) => store.add(line),
    onChunk() {
      begun();
      state.atEnd = false;
      store.announce();
    },
    onEnd(closed) {
      begun();
      if (state.atEnd && state.closed === closed) return;
      Object.assign(state, { atEnd: true, closed });
      store.announce();
    },
    onTrouble(trouble) {
      if (state.trouble === trouble) return;
      state.trouble = trouble;
      store.announce();
    },
  };
  const inspector = await startInspector({
    files: pageFiles(),
    store,
    port,
    source: () => {
      const { trouble, ...rest } = state;
      return { name: isInput ? 'standard input' : file, ...rest, ...(trouble !== undefined && { trouble }) };
    },
    onOpened: (next) => terminal.stdout.write(`opened; for another browser: ${next}\n`),
  });
  const over = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  try {
    const reading = isInput ? readStream(openLog('-'), reader) : followLog(file, reader, signal);
    // A file that cannot be read is told about before anybody opens the page.
    if (!isInput) await Promise.race([beginning, reading]);
    terminal.stdout.write(`${inspector.url()}\n`);
    await Promise.race([reading.then(() => over), over]);
    if (isInput) process.stdin.destroy();
    else await reading;
  } finally {
    await inspector.close();
  }
}
