import { isDeepStrictEqual } from 'node:util';
import type { RecordedClient, RecordedPhase, RecordedUpstream, RecordedValue } from './recordings.js';

/** The first difference between what Kong did and what the stand-in does; undefined when they agree. */
export type Difference = string | undefined;

export function compareValue(expected: RecordedValue, actual: RecordedValue | undefined): boolean {
  if (actual === undefined) return false;
  // On the wire an empty table is nothing.
  if (isEmptyTable(expected) && isEmptyTable(actual)) return true;
  if (typeof expected === 'object' && expected !== null && !Array.isArray(expected)) {
    if ('$any' in expected) return typeof actual === expected.$any || isAny(actual);
    if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false;
    const keys = Object.keys(expected);
    return (
      keys.length === Object.keys(actual).length &&
      keys.every((key) => compareValue(expected[key] ?? null, actual[key]))
    );
  }
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) &&
      expected.length === actual.length &&
      expected.every((item, i) => compareValue(item, actual[i]))
    );
  }
  return expected === actual;
}

function isEmptyTable(value: RecordedValue): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === 0 || value.$nothing === true;
}

function isAny(value: RecordedValue): boolean {
  // A long string is shown by its length and hash.
  return typeof value === 'object' && value !== null && ('$any' in value || 'sha256' in value);
}

export function comparePhases(
  expected: readonly RecordedPhase[],
  actual: readonly RecordedPhase[],
): Difference {
  const line = (phases: readonly RecordedPhase[]) =>
    phases.map(({ phase, end }) => `${phase} ${end}`).join(', ');
  if (line(expected) !== line(actual)) return `phases: Kong ${line(expected)}; here ${line(actual)}`;
  for (const [i, phase] of expected.entries()) {
    const replies = phase.replies ?? [];
    const here = actual[i]?.replies ?? [];
    for (const [n, reply] of replies.entries()) {
      // Kong dropped the connection: the script ended there.
      if (reply === 'no_reply' && here[n] === undefined) continue;
      if (!compareValue(reply, here[n])) {
        return `${phase.phase} call ${n}: Kong ${show(reply)}; here ${show(here[n])}`;
      }
    }
  }
  return undefined;
}

export function compareUpstream(
  expected: readonly RecordedUpstream[],
  actual: readonly RecordedUpstream[],
): Difference {
  if (expected.length !== actual.length) {
    return `upstream: Kong sent ${expected.length} requests; here ${actual.length}: ${show(actual)}`;
  }
  for (const [i, request] of expected.entries()) {
    const here = actual[i] ?? {};
    const difference = compareFields(request, here, [
      'line',
      'headers',
      'body',
      'incomplete',
      'rest',
      'tunnel',
    ]);
    if (difference !== undefined) return `upstream request ${i}: ${difference}`;
  }
  return undefined;
}

export function compareClient(expected: RecordedClient, actual: RecordedClient): Difference {
  if (expected.http2 === true) {
    const fields = ['status', 'headers', 'body', 'rst', 'error', 'hung'] as const;
    return compareFields(expected, actual, fields);
  }
  const [kong, here] = [expected.responses ?? [], actual.responses ?? []];
  if (kong.length !== here.length) return `client: Kong answered ${kong.length} times; here ${show(actual)}`;
  for (const [i, response] of kong.entries()) {
    const fields = ['status', 'headers', 'framing', 'body', 'short', 'extra'] as const;
    const difference = compareFields(response, here[i] ?? response, fields);
    if (difference !== undefined) return `response ${i}: ${difference}`;
  }
  return compareFields(expected, actual, ['closed', 'hung', 'unparsed']);
}

function compareFields<T extends object>(
  expected: T,
  actual: T,
  fields: readonly (keyof T & string)[],
): Difference {
  for (const field of fields) {
    const [kong, here] = [normal(expected[field]), normal(actual[field])];
    if (isDeepStrictEqual(kong, here)) continue;
    if (Array.isArray(kong) && Array.isArray(here)) {
      const missing = kong.filter((item) => !here.some((other) => isDeepStrictEqual(item, other)));
      const added = here.filter((item) => !kong.some((other) => isDeepStrictEqual(item, other)));
      return `${field}: missing ${show(missing)}; added ${show(added)}`;
    }
    return `${field}: Kong ${show(kong)}; here ${show(here)}`;
  }
  return undefined;
}

/** Empty, false and not there are the same in the recordings. */
function normal(value: unknown): unknown {
  if (value === undefined || value === false || value === '') return null;
  return typeof value === 'string' && value.startsWith('HTTP/1.1 ') ? sortedHead(value) : value;
}

/** A whole message in one string: its header lines in order. */
function sortedHead(message: string): string {
  const [head = '', ...body] = message.split('\r\n\r\n');
  const [status = '', ...headers] = head.split('\r\n');
  return [[status, ...headers.sort()].join('\r\n'), ...body].join('\r\n\r\n');
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 1400 ? `${text.slice(0, 1400)}…` : text;
}
