import { randomInt } from 'node:crypto';
import { styleText } from 'node:util';
import { fileProblem, isFileError } from '../recordings/file-problem.js';
import { printableLines } from '../telemetry/printable.js';

/** Documented in --help and the pages of the commands. */
export const EXIT = { ok: 0, failed: 1, usage: 2, nothingToCheck: 3 } as const;

/** Where a command reads and writes; a test gives its own. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  exitCode(code: number): void;
}

/**
 * Stands for the start of a control sequence of ours until the text is written. A file or a policy could hold the sequence
 * itself, but not this: it is another one in each run, of characters for private use.
 */
const MARK = String.fromCodePoint(...Array.from({ length: 4 }, () => 0xf0000 + randomInt(0xfffe)));
const CLEAR_LINE = `${MARK}G${MARK}K`;

/** What may be written to a terminal: printable characters, line feeds, and the colours of this file. */
export function terminalText(text: string): string {
  return printableLines(text).replaceAll(MARK, '\u001b[');
}

/** The one way from a command to a terminal: whatever a command writes passes `terminalText`. */
export function safeStream(stream: Terminal['stdout']): Terminal['stdout'] {
  return {
    write: (text) => stream.write(terminalText(text)),
    get isTTY() {
      return stream.isTTY === true;
    },
  };
}

/** Says why `ping-auth command` ends here, each line with its name in front. @returns the exit code for it */
export function complain(terminal: Terminal, command: string, thrown: unknown): number {
  const why = inWords(thrown);
  terminal.stderr.write(`${why.replaceAll(/^/gm, `ping-auth ${command}: `)}\n`);
  return EXIT.usage;
}

/** The system's errors about files have words of their own: `ENOENT: no such file or directory, open 'x'` says too little. */
function inWords(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const path = isFileError(thrown) ? (thrown as NodeJS.ErrnoException).path : undefined;
  return path === undefined ? thrown.message : fileProblem(path, thrown);
}

const FORMATS = ['bold', 'dim', 'red', 'green', 'yellow'] as const;
type Format = (typeof FORMATS)[number];
export type Paint = Readonly<Record<Format, (text: string) => string>>;

const PLAIN = paintBy((_, text) => text);
/** A control sequence in the text itself is made printable before it can be taken for one of ours. */
const COLOURED = paintBy((format, text) =>
  styleText(format, printableLines(text), { validateStream: false }).replaceAll('\u001b[', MARK),
);

function paintBy(stroke: (format: Format, text: string) => string): Paint {
  const paint = FORMATS.map((format) => [format, (text: string) => stroke(format, text)]);
  return Object.fromEntries(paint) as Paint;
}

/** Colours for a terminal only, and none with NO_COLOR; `wanted` (from --color, --no-color) overrules both. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
  wanted: boolean | undefined,
): Paint {
  const isColoured = wanted ?? (stream.isTTY === true && !environment.NO_COLOR);
  return isColoured ? COLOURED : PLAIN;
}

/** A line on a terminal's standard error that counts up and goes away at the end; nothing where there is no terminal. */
export class Progress {
  readonly #stream: Terminal['stderr'] | undefined;
  readonly #total: number | undefined;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #what: string;
  #done = 0;

  /** @param total undefined when it is not known */
  constructor({ stderr }: Terminal, total: number | undefined, what: string, now = () => performance.now()) {
    this.#now = now;
    this.#startedAt = now();
    this.#stream = stderr.isTTY ? stderr : undefined;
    this.#total = total;
    this.#what = what;
    this.#show();
  }

  step(): void {
    this.#done += 1;
    this.#show();
  }

  end(): void {
    this.#stream?.write(CLEAR_LINE);
  }

  #show(): void {
    this.#stream?.write(
      `${CLEAR_LINE}${progressInWords(this.#done, this.#total, this.#what, this.#now() - this.#startedAt)}`,
    );
  }
}

/** `120 of 1,000 questions, 20 a second, 44 s left`. */
export function progressInWords(done: number, total: number | undefined, what: string, ms: number): string {
  const counted =
    total === undefined ? `${amount(done)} ${what}` : `${amount(done)} of ${amount(total)} ${what}`;
  // A rate of the first moments says nothing.
  if (done < 2 || ms < 500) return counted;
  const perSecond = done / (ms / 1000);
  const rate = `${perSecond < 10 ? perSecond.toFixed(1) : amount(Math.round(perSecond))} a second`;
  if (total === undefined || done >= total) return `${counted}, ${rate}`;
  return `${counted}, ${rate}, ${duration((total - done) / perSecond)} left`;
}

/** `44 s`, `3 min`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function amount(count: number): string {
  return count.toLocaleString('en');
}
