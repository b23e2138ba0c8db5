import { ERRORS, type ErrorCode } from '../errors/catalogue.js';

/** Lines in Kong's log for each code of one instance, at most so many in a second. */
const LINES_A_SECOND = 2;

/** nginx cuts a line at 2048 bytes, and what follows the problem has to be in it. */
const MAX_PROBLEM = 1000;

/**
 * Kong's default log level hides every line of a plugin server, so an admin would see a 502 and an empty log. Refusals for
 * a reason of ours or of the provider's are therefore said through Kong as well, which costs a call only then.
 */
export class ErrorLogLimiter {
  readonly #now: () => number;
  readonly #configProblem: string | undefined;
  readonly #byCode = new Map<ErrorCode, { second: number; lines: number; left: number }>();

  /**
   * @param now milliseconds that only go forward
   * @param configProblem fields and reasons of `config_invalid`: with Kong Manager there is no kong.yml that could be checked
   */
  constructor(now: () => number = () => performance.now(), configProblem?: string) {
    this.#now = now;
    this.#configProblem = configProblem?.slice(0, MAX_PROBLEM);
  }

  /** undefined: nothing that an admin has to know, or too many of them in this second. */
  line(
    code: ErrorCode,
    requestId: string | undefined,
  ): { readonly level: 'warn' | 'err'; readonly text: string } | undefined {
    const { level, remedy } = ERRORS[code];
    if (level === 'info') return undefined;
    const second = Math.trunc(this.#now() / 1000);
    const known = this.#byCode.get(code);
    const state = known ?? { second, lines: 0, left: 0 };
    if (known === undefined) this.#byCode.set(code, state);
    if (state.second !== second) {
      state.second = second;
      state.lines = 0;
    }
    if (state.lines === LINES_A_SECOND) {
      state.left += 1;
      return undefined;
    }
    state.lines += 1;
    const more = state.left === 0 ? '' : ` (${state.left} more like it left out)`;
    state.left = 0;
    const isConfig = code === 'config_invalid' && this.#configProblem !== undefined;
    const problem = isConfig ? `${this.#configProblem}; ` : '';
    return {
      level: level === 'error' ? 'err' : 'warn',
      text: `ping-auth: ${code} ${requestId ?? '-'}: ${problem}${remedy}${more}`,
    };
  }
}
