import { ERRORS, type ErrorCode } from '../errors/catalogue.js';

/** Lines in Kong's log for each code of one instance, at most so many in a second. */
const LINES_A_SECOND = 2;

/**
 * Kong's default log level hides every line of a plugin server, so an admin would see a 502 and an empty log. Refusals for
 * a reason of ours or of the provider's are therefore said through Kong as well, which costs a call only then.
 */
export class ErrorLogLimiter {
  readonly #now: () => number;
  readonly #byCode = new Map<ErrorCode, { second: number; lines: number; left: number }>();

  /** @param now milliseconds that only go forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
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
    return {
      level: level === 'error' ? 'err' : 'warn',
      text: `ping-auth: ${code} ${requestId ?? '-'}: ${remedy}${more}`,
    };
  }
}
