// Recorded questions as a file for `ping-auth test`, with what the recorded policy decided as expectation.
import { Document } from 'yaml';
import { type Decision, decisionInWords, differencesOf, urlPattern } from '../../recordings/comparison.js';
import { caseOf } from '../../recordings/saved-case.js';
import type { Question } from './question.js';

interface Saved {
  readonly question: Question;
  /** Of the other policy, when it differs. */
  readonly now: Decision | undefined;
}

/** One case for each kind of difference, and up to `samples` of what is the same, as various as they come. */
export class SavedCases {
  readonly #samples: number;
  readonly #differences = new Map<string, Saved>();
  readonly #same = new Map<string, Saved>();

  constructor(samples: number) {
    this.#samples = samples;
  }

  /** Only of requests: what a policy makes of a response is not to be had without its request. */
  add(question: Question, now: Decision, differences: readonly string[]): void {
    if (question.phase !== 'access') return;
    const { method, url } = question.recording.shown;
    const kind = [question.route, method, urlPattern(url), decisionInWords(question.decision), differences];
    const key = JSON.stringify(kind);
    const isSame = differences.length === 0;
    const cases = isSame ? this.#same : this.#differences;
    if (!cases.has(key) && (!isSame || cases.size < this.#samples))
      cases.set(key, { question, now: isSame ? undefined : now });
  }

  get size(): number {
    return this.#differences.size + this.#same.size;
  }

  /** @param source for the comment on top */
  toYaml(source: string): string {
    const saved = [...this.#differences.values(), ...this.#same.values()];
    const document = new Document({ cases: saved.map(toCase) });
    const variables = [...new Set(JSON.stringify(document).match(/(?<=[^$]\$\{)[A-Z\d_]+(?=\})/g) ?? [])];
    document.commentBefore = [
      ` From ${source} by ping-auth replay. Expected is what the recorded policy decided; correct what should change.`,
      ...(variables.length > 0 ? [` Redacted values are variables: set ${variables.join(', ')}.`] : []),
    ].join('\n');
    for (const [index, { now, question }] of saved.entries()) {
      if (now === undefined) continue;
      const node = document.getIn(['cases', index], true) as { commentBefore?: string };
      const differences = differencesOf(question.decision, now, new Set());
      node.commentBefore = ` The other policy: ${decisionInWords(now)}; different: ${differences.join(', ')}`;
    }
    return document.toString({ lineWidth: 110 });
  }
}

function toCase({ question, now }: Saved): object {
  const { recording, line, decision } = question;
  const tags = ['replay', now === undefined ? 'sample' : 'difference'];
  return caseOf({ recording, explanation: decision.explanation, line, tags });
}
