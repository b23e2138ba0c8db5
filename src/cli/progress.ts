import type { Terminal } from './check/command.js';

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
