// Recorded questions as a file for `ping-auth test`, with what the recorded policy decided as expectation.
import { Document } from 'yaml';
import { pathOf } from '../../recordings/message-text.js';
import { recordedFieldsOf } from '../../recordings/recording.js';
import { REDACTED, textOf } from '../../telemetry/gap-marks.js';
import { type Decision, decisionInWords, differencesOf, pathPattern } from './comparison.js';
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
    const kind = [question.route, method, pathPattern(url), decisionInWords(question.decision), differences];
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
    const variables = [...new Set(JSON.stringify(document).match(/(?<=[^$]\$\{)[A-Z_]+(?=\})/g) ?? [])];
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
  const { recording, incomplete } = question;
  const { method, url } = recording.shown;
  const version = 'http_version' in recording.shown ? recording.shown.http_version : '1.1';
  const id = recording.requestId === undefined ? `line ${question.line}` : `request ${recording.requestId}`;
  const isCut = recording.gaps.shown.cut.length > 0;
  return {
    name: `${method} ${escaped(pathOf(url))} (${id})`,
    tags: ['replay', now === undefined ? 'sample' : 'difference', ...(isCut ? ['cut'] : [])],
    request: {
      method,
      url: withVariable(url, 'REDACTED_URL'),
      ...(version !== '1.1' && { http_version: version }),
      headers: headersOf(question),
      ...bodyOf(question),
      source_ip: 'source_ip' in recording.shown ? recording.shown.source_ip : undefined,
    },
    expect: expectationOf(question),
    ...(incomplete.includes('client_certificate') && { skip: true }),
  };
}

function expectationOf({ decision: { explanation } }: Question): object {
  const { verdict, changed, diff } = explanation;
  if (typeof verdict === 'object') return { decision: 'refuse', code: verdict.refused };
  const { start = '', headers = [] } = diff?.after.message ?? {};
  if (verdict === 'denied') return { decision: 'deny', status: Number(start.slice(0, 3)) };
  const set = changed
    .filter((name) => name.startsWith('header:'))
    .map((name) => name.slice('header:'.length));
  const has = Object.fromEntries(
    set.flatMap((name) => {
      const values = headers.filter(([other]) => other === name).map(([, value]) => escaped(value));
      return values.some((value) => value.includes(REDACTED)) ? [] : [[name, values]];
    }),
  );
  return { decision: 'permit', changes: changed, ...(Object.keys(has).length > 0 && { headers: { has } }) };
}

function headersOf({ recording: { shown } }: Question): Record<string, string | string[]> {
  const headers = new Map<string, string[]>();
  for (const [rawName, value] of recordedFieldsOf(shown.headers)) {
    const name = textOf(rawName).toLowerCase();
    // Follows from the body, which may not be the recorded one.
    if (name === 'content-length') continue;
    const variable = name.endsWith('authorization') ? 'TOKEN' : name.toUpperCase().replaceAll(/\W/g, '_');
    headers.set(name, [...(headers.get(name) ?? []), withVariable(value, variable)]);
  }
  return Object.fromEntries(
    [...headers].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}

function bodyOf({ recording: { shown } }: Question): { body?: string } {
  const { body = '' } = shown;
  return body === '' ? {} : { body: withVariable(body, 'REDACTED_BODY') };
}

function withVariable(text: string, name: string): string {
  return text
    .split(REDACTED)
    .map((part) => escaped(textOf(part)))
    .join(`\${${name}}`);
}

/** What looks like a variable is none. */
function escaped(text: string): string {
  return text.replaceAll('${', '$$${');
}
