import { type Decision, urlPattern } from '../../recordings/comparison.js';
import type { Explanation } from '../../recordings/explanation.js';
import { asLines } from '../../recordings/message-text.js';
import type { Question, Unusable } from './question.js';

export interface Counts {
  same: number;
  different: number;
  /** The policy provider gave no usable answer. */
  failed: number;
}

/** Differences of one kind. */
export interface Group {
  readonly phase: Question['phase'];
  readonly route: string | undefined;
  readonly method: string;
  /** `/orders/{id}` */
  readonly path: string;
  /** What is different: `permit → deny 403`, or `header:x-a`, `body`. */
  readonly what: readonly string[];
  count: number;
  /** How many of them are about messages that were not recorded as they were. */
  incomplete: number;
  readonly example: Example;
}

export interface Example {
  readonly question: Question;
  readonly now: Decision;
}

/** Why recorded calls were not asked about, and how many. */
export type Skipped = Readonly<Record<Unusable | 'no request' | 'not reached', number>>;

/** What became of all questions; memory for each kind of difference, not for each question. */
export class Tally {
  readonly complete: Counts = { same: 0, different: 0, failed: 0 };
  readonly incomplete: Counts = { same: 0, different: 0, failed: 0 };
  readonly skipped: Record<keyof Skipped, number> = {
    ...{ 'no messages': 0, 'no decision': 0, 'not readable': 0, 'no request': 0, 'not reached': 0 },
  };
  /** What was not as it had been, by part: `header:authorization`. */
  readonly gaps = new Map<string, number>();
  /** Why the policy provider gave no answer, by error code. */
  readonly failures = new Map<string, number>();
  readonly #groups = new Map<string, Group>();

  skip(reason: keyof Skipped): void {
    this.skipped[reason] += 1;
  }

  fail(question: Question, code: string): void {
    this.#countsOf(question).failed += 1;
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
  }

  add(question: Question, now: Decision, differences: readonly string[]): void {
    const counts = this.#countsOf(question);
    if (differences.length === 0) {
      counts.same += 1;
      return;
    }
    counts.different += 1;
    const { phase, route, recording } = question;
    const { method, url } = recording.shown;
    const path = urlPattern(url);
    const key = JSON.stringify([phase, route, method, path, differences]);
    const known = this.#groups.get(key);
    const group: Group = known ?? {
      ...{ phase, route, method, path, what: differences, count: 0, incomplete: 0 },
      example: { question, now },
    };
    group.count += 1;
    if (question.incomplete.length > 0) group.incomplete += 1;
    if (known === undefined) this.#groups.set(key, group);
  }

  /** The largest first. */
  get groups(): readonly Group[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }

  get asked(): number {
    return sum(this.complete) + sum(this.incomplete);
  }

  /**
   * Whether there is a difference, or a question without an answer. What a redacted or cut message brought about is none:
   * a policy may deny a token that is blanked.
   * @param strict all the same
   */
  differs(strict: boolean): boolean {
    const { complete, incomplete } = this;
    const explained = strict ? incomplete.different : 0;
    return complete.different + complete.failed + incomplete.failed + explained > 0;
  }

  /** Whether no message was complete, and some differ: that says nothing about the policy. */
  get onlyExplained(): boolean {
    return sum(this.complete) === 0 && this.incomplete.different > 0;
  }

  #countsOf({ incomplete }: Question): Counts {
    for (const name of incomplete) this.gaps.set(name, (this.gaps.get(name) ?? 0) + 1);
    return incomplete.length > 0 ? this.incomplete : this.complete;
  }
}

/** What came of a message, as lines; of a refusal its reason. */
export function resultLines(explanation: Explanation): string {
  const { diff, title } = explanation;
  return diff === undefined ? `${title}\n` : asLines(diff.after.message);
}

function sum({ same, different, failed }: Counts): number {
  return same + different + failed;
}
