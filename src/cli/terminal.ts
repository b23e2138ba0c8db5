import { styleText } from 'node:util';

/** Documented in --help and the pages of the commands. */
export const EXIT = { allWell: 0, failed: 1, usage: 2, nothingToCheck: 3 } as const;

/** Where a command reads and writes; a test gives its own. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  exitCode(code: number): void;
}

/** Says why `ping-auth command` ends here, each line with its name in front. @returns the exit code for it */
export function complain(terminal: Terminal, command: string, thrown: unknown): number {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  terminal.stderr.write(`${why.replaceAll(/^/gm, `ping-auth ${command}: `)}\n`);
  return EXIT.usage;
}

/** Puts a text in a style, or leaves it plain. */
export type Paint = Readonly<Record<'bold' | 'dim' | 'red' | 'green' | 'yellow', (text: string) => string>>;

/** Colours for a terminal only, and none with NO_COLOR; `wanted` (from --color, --no-color) overrules both. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
  wanted: boolean | undefined,
): Paint {
  const isColoured = wanted ?? (stream.isTTY === true && !environment.NO_COLOR);
  // Without a look at the process's own standard output: what is written to is known here.
  const styled = (style: keyof Paint) => (text: string) =>
    isColoured ? styleText(style, text, { validateStream: false }) : text;
  return {
    bold: styled('bold'),
    dim: styled('dim'),
    red: styled('red'),
    green: styled('green'),
    yellow: styled('yellow'),
  };
}

/** A line on a terminal's standard error that counts up and goes away at the end; nothing where there is no terminal. */
export class Progress {
  readonly #stream: Terminal['stderr'] | undefined;
  readonly #total: number;
  readonly #what: string;
  #done = 0;

  constructor({ stderr }: Terminal, total: number, what: string) {
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
    this.#stream?.write('\r\u001b[K');
  }

  #show(): void {
    this.#stream?.write(`\r\u001b[K${this.#done} of ${this.#total} ${this.#what}`);
  }
}
