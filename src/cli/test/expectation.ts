import { isDeepStrictEqual } from 'node:util';
import { compile } from 'json-p3';
import { parseJson } from '../../http/text.js';
import type { RequestOutcome, ResponseOutcome } from '../policy/ask-policy.js';
import type {
  BodyExpectation,
  HeaderExpectation,
  RequestExpectation,
  ResponseExpectation,
  StateExpectation,
} from './case-schema.js';

/** One expectation that did not come true. */
export interface Mismatch {
  /** `status`, `header x-user`, `body $.amount`. */
  readonly what: string;
  /** undefined: nothing should have been there. */
  readonly expected: unknown;
  /** undefined: nothing was there. */
  readonly got: unknown;
}

type Fields = readonly (readonly [name: string, value: string])[];
type Headers = Readonly<Record<string, readonly string[]>>;
type Json = Parameters<ReturnType<typeof compile>['query']>[0];

/** What of the decision about a request is not as expected. */
export function requestMismatches(expected: RequestExpectation, outcome: RequestOutcome): Mismatch[] {
  const found = new Mismatches();
  found.compare('decision', expected.decision, outcome.kind);
  if (expected.decision !== outcome.kind) return found.all;
  if (outcome.kind === 'refuse') {
    found.compare('status', numberOf(expected.status), outcome.status);
    found.compare('code', expected.code, outcome.code);
    return found.all;
  }
  if (outcome.kind === 'deny') {
    const { response } = outcome;
    found.compare('status', numberOf(expected.status), response.status);
    found.headers(expected.headers, [], response.headers);
    found.body(expected.body, undefined, response.body);
    return found.all;
  }
  const { before, after } = outcome;
  found.compare('method', expected.method, after.method);
  found.compare('url', expected.url, after.url);
  found.changes(expected.changes, outcome.changed);
  found.headers(expected.headers, before.headers, after.headers);
  found.body(expected.body, before.body, after.body);
  found.state(expected.state, outcome.state);
  return found.all;
}

/** What of the decision about a response is not as expected. */
export function responseMismatches(expected: ResponseExpectation, outcome: ResponseOutcome): Mismatch[] {
  const found = new Mismatches();
  const { decision = 'pass' } = expected;
  found.compare('decision', decision, outcome.kind);
  if (decision !== outcome.kind) return found.all;
  if (outcome.kind === 'refuse') {
    found.compare('status', numberOf(expected.status), outcome.status);
    found.compare('code', expected.code, outcome.code);
    return found.all;
  }
  const { before, after } = outcome;
  found.compare('status', numberOf(expected.status), after.status);
  found.changes(expected.changes, outcome.changed);
  found.headers(expected.headers, before.headers, after.headers);
  found.body(expected.body, before.body, after.body);
  return found.all;
}

class Mismatches {
  readonly all: Mismatch[] = [];

  /** Nothing is expected when `expected` is undefined. */
  compare(what: string, expected: unknown, got: unknown): void {
    if (expected !== undefined && !isDeepStrictEqual(expected, got)) this.#add(what, expected, got);
  }

  changes(expected: readonly string[] | undefined, got: readonly string[]): void {
    if (expected !== undefined) this.compare('changes', [...expected].sort(), [...got].sort());
  }

  headers(expected: HeaderExpectation | undefined, before: Fields, after: Fields): void {
    if (expected === undefined) return;
    const [old, now] = [byName(before), byName(after)];
    for (const [name, wanted] of namesOf(expected.has)) this.#header(name, wanted, now[name]);
    for (const name of (expected.lacks ?? []).map(lower)) {
      if (now[name]) this.#add(`header ${name}`, undefined, single(now[name]));
    }
    for (const [name, wanted] of namesOf(expected.added)) {
      if (old[name]) this.#add(`header ${name} before the policy`, undefined, single(old[name]));
      else this.#header(name, wanted, now[name]);
    }
    for (const [name, wanted] of namesOf(expected.changed)) {
      if (!old[name]) this.#add(`header ${name} before the policy`, 'another value', undefined);
      else if (isDeepStrictEqual(old[name], now[name]))
        this.#add(`header ${name}`, 'a change', 'the same value');
      else this.#header(name, wanted, now[name]);
    }
    for (const name of (expected.removed ?? []).map(lower)) {
      if (!old[name]) this.#add(`header ${name} before the policy`, 'any value', undefined);
      else if (now[name]) this.#add(`header ${name}`, undefined, single(now[name]));
    }
  }

  body(
    expected: string | BodyExpectation | undefined,
    before: Uint8Array | undefined,
    after: Uint8Array,
  ): void {
    if (expected === undefined) return;
    const text = Buffer.from(after).toString('utf8');
    this.compare('body', typeof expected === 'string' ? expected : expected.text, text);
    if (typeof expected === 'string') return;
    for (const part of expected.contains === undefined ? [] : [expected.contains].flat()) {
      if (!text.includes(String(part))) this.#add('body', `… ${part} …`, text);
    }
    if (expected.matches !== undefined && !new RegExp(expected.matches, 'u').test(text))
      this.#add('body', `/${expected.matches}/`, text);
    if (expected.unchanged && !Buffer.from(before ?? []).equals(after))
      this.#add('body', Buffer.from(before ?? []).toString('utf8'), text);
    if (!('json' in expected) && !expected.paths && !expected.absent) return;
    const value = parseJson(text) as Json | undefined;
    if (value === undefined) this.#add('body', 'JSON', text);
    else this.#json('body', expected, value);
  }

  state(expected: StateExpectation | undefined, state: unknown): void {
    if (expected === undefined) return;
    if (expected === 'absent') {
      if (state !== undefined) this.#add('state', undefined, state);
    } else if (state === undefined) this.#add('state', expected === 'present' ? 'any' : expected, undefined);
    else if (typeof expected === 'object') this.#json('state', expected, state as Json);
  }

  #json(what: string, expected: Pick<BodyExpectation, 'json' | 'paths' | 'absent'>, value: Json): void {
    if ('json' in expected) this.compare(what, expected.json, value);
    for (const [path, wanted] of Object.entries(expected.paths ?? {})) {
      const query = compile(path);
      const values: unknown[] = query.query(value).values();
      const got = query.singularQuery() ? values[0] : values;
      if (!isDeepStrictEqual(wanted, got)) this.#add(`${what} ${path}`, wanted, got);
    }
    for (const path of expected.absent ?? []) {
      const values: unknown[] = compile(path).query(value).values();
      if (values.length > 0)
        this.#add(`${what} ${path}`, undefined, values.length === 1 ? values[0] : values);
    }
  }

  #header(name: string, wanted: HeaderWanted, got: readonly string[] | undefined): void {
    if (typeof wanted === 'object' && 'matches' in wanted) {
      const pattern = new RegExp(wanted.matches, 'u');
      if (!got?.some((value) => pattern.test(value)))
        this.#add(`header ${name}`, `/${wanted.matches}/`, single(got));
      return;
    }
    const values = [wanted].flat().map(String);
    if (!isDeepStrictEqual(values, got)) this.#add(`header ${name}`, single(values), single(got));
  }

  #add(what: string, expected: unknown, got: unknown): void {
    this.all.push({ what, expected, got });
  }
}

type HeaderWanted = NonNullable<HeaderExpectation['has']>[string];

function namesOf(expected: HeaderExpectation['has'] = {}): [string, HeaderWanted][] {
  return Object.entries(expected).map(([name, wanted]) => [lower(name), wanted]);
}

function byName(fields: Fields): Headers {
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const [name, value] of fields) {
    const values = headers[lower(name)];
    if (values) values.push(value);
    else headers[lower(name)] = [value];
  }
  return headers;
}

function single(values: readonly string[] | undefined): unknown {
  return values?.length === 1 ? values[0] : values;
}

function lower(name: string): string {
  return name.toLowerCase();
}

function numberOf(value: number | string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
