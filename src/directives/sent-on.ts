import { createHash } from 'node:crypto';
import type { ErrorCode } from '../errors/catalogue.js';
import type { HeaderChanges } from '../http/header-list.js';
import { isJsonObject, parseJson } from '../http/text.js';
import type { RequestChanges, RequestDecision, ResponseChanges, ResponseDecision } from './decision.js';

const START = ['method', 'host', 'path', 'query', 'status'] as const;
type StartPart = (typeof START)[number];

/**
 * What two policies are compared by: what would be sent on. Only what a policy changed is in it, since both were asked about the
 * same message. Plain JSON, so that it can be kept with the request; a body is a digest.
 */
export interface SentOn {
  /** `permit`, `deny 403`, `pass`, `refuse directive_invalid`. */
  readonly decision: string;
  readonly start: Readonly<Partial<Record<StartPart, string>>>;
  /** Names in lower case; no values: removed. */
  readonly headers: readonly (readonly [name: string, values: readonly string[]])[];
  /** undefined: as it was shown. */
  readonly body?: string | undefined;
}

export function requestSentOn(decision: RequestDecision): SentOn {
  if (decision.kind === 'permit') return changedSentOn('permit', decision.changes);
  const { status, headers, body } = decision.response;
  return {
    decision: `deny ${status}`,
    start: {},
    headers: headersOf(headers.toRecord()),
    body: bodyDigest(body),
  };
}

export function responseSentOn({ changes }: ResponseDecision): SentOn {
  return changedSentOn('pass', changes);
}

/** An answer that asks for something that must not be sent on. */
export function refusedSentOn(code: ErrorCode): SentOn {
  return { decision: `refuse ${code}`, start: {}, headers: [] };
}

/**
 * In what two decisions about the same message differ, by name, as `ping-auth replay` says it: `permit → deny 403`, or `method`,
 * `host`, `path`, `query`, `status`, `header:x-a`, `body`. Empty: the same decision.
 * @param ignored names of headers that do not count, in lower case
 * @param shown body that both were shown
 */
export function sentOnDifferences(
  before: SentOn,
  now: SentOn,
  ignored: ReadonlySet<string>,
  shown: string | undefined,
): string[] {
  if (before.decision !== now.decision) return [`${before.decision} → ${now.decision}`];
  const isBodyChanged = before.body !== now.body && bodyOf(before, shown) !== bodyOf(now, shown);
  return [
    ...START.filter((part) => before.start[part] !== now.start[part]),
    ...headerDifferences(before.headers, now.headers)
      .filter((name) => !ignored.has(name) && name !== 'content-length')
      .map((name) => `header:${name}`),
    ...(isBodyChanged ? ['body'] : []),
  ];
}

/** What was kept with a request. undefined: it is not what was written there. */
export function parseSentOn(text: string): SentOn | undefined {
  const value = parseJson(text);
  return isJsonObject(value) &&
    typeof value.decision === 'string' &&
    isJsonObject(value.start) &&
    Array.isArray(value.headers)
    ? (value as unknown as SentOn)
    : undefined;
}

function changedSentOn(decision: string, changes: RequestChanges | ResponseChanges): SentOn {
  const start: Partial<Record<StartPart, string>> = {};
  for (const part of START) {
    const value = (changes as Partial<Record<StartPart, string | number>>)[part];
    if (value !== undefined) start[part] = String(value);
  }
  const body = changes.body === undefined ? undefined : bodyDigest(changes.body);
  return { decision, start, headers: headersOf(changes.headers), body };
}

function headersOf(changes: HeaderChanges): SentOn['headers'] {
  return Object.entries(changes).map(([name, values]) => [
    name,
    typeof values === 'string' ? [values] : values,
  ]);
}

function headerDifferences(before: SentOn['headers'], now: SentOn['headers']): string[] {
  const [old, fresh] = [new Map(before), new Map(now)];
  const names = new Set([...old.keys(), ...fresh.keys()]);
  return [...names].filter((name) => !isSame(old.get(name), fresh.get(name))).sort();
}

function isSame(before: readonly string[] | undefined, now: readonly string[] | undefined): boolean {
  if (before === undefined || now === undefined) return before === now;
  return before.length === now.length && before.every((value, at) => value === now[at]);
}

function bodyOf({ body }: SentOn, shown: string | undefined): string | undefined {
  return body ?? (shown === undefined ? undefined : bodyDigest(Buffer.from(shown)));
}

/** A body of so many bytes is not read as JSON: that would take too long beside live traffic. */
const MAX_PARSED_BYTES = 65_536;

/** JSON that differs in white space only is the same. */
function bodyDigest(body: Uint8Array): string {
  const hash = createHash('sha256');
  if (body.length > MAX_PARSED_BYTES) return hash.update(body).digest('base64');
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  // Numbers beyond 2^53 would be read wrong.
  const value = /^\s*[[{]/.test(text) && !/\d{16}/.test(text) ? parseJson(text) : undefined;
  return (value === undefined ? hash.update(body) : hash.update(JSON.stringify(value))).digest('base64');
}
