import { safeStream, type Terminal } from '../../src/cli/terminal.js';

/** What a command of `ping-auth` wrote, and with which code it would end. */
export class FakeTerminal implements Terminal {
  readonly environment: Terminal['environment'];
  readonly stdout = safeStream({ write: (text) => this.#out.push(text) });
  readonly stderr = safeStream({ write: (text) => this.#err.push(text) });
  readonly #out: string[] = [];
  readonly #err: string[] = [];
  #code = -1;

  constructor(environment: Terminal['environment'] = {}) {
    this.environment = environment;
  }

  exitCode(code: number): void {
    this.#code = code;
  }

  get result(): { readonly stdout: string; readonly stderr: string; readonly exitCode: number } {
    return { stdout: this.#out.join(''), stderr: this.#err.join(''), exitCode: this.#code };
  }
}
