import { createHash } from 'node:crypto';
import type { ErrorCode } from '../errors/catalogue.js';
import { valuesOf } from '../http/headers.js';
import { asBuffer, isJsonObject, parseJson } from '../http/text.js';
import type { RequestChanges, RequestDecision, ResponseChanges, ResponseDecision } from './decision.js';

const START = ['method', 'host', 'path', 'query', 'status'] as const;
const HEADER = 'header:';

/**
 * What two policies are compared by: what would be sent on. Only what a policy changed is in it, since both were asked about the
 * same message. Plain JSON, so that it can be kept with the request.
 */
export interface SentOn {
  /** `permit`, `deny 403`, `pass`, `refuse directive_invalid`. */
  readonly decision: string;
  /**
   * `method`, `host`, `path`, `query`, `status` with their values, `header:x-a` with a JSON array of its values (empty: removed),
   * `body` with a digest. What is missing is as it was shown.
   */
  readonly changes: readonly (readonly [part: string, value: string])[];
}

export function requestSentOn(decision: RequestDecision): SentOn {
  if (decision.kind === 'permit') return sentOn('permit', decision.changes);
  const { status, headers, body } = decision.response;
  return sentOn(`deny ${status}`, { headers: headers.toRecord(), body });
}

export function responseSentOn({ changes }: ResponseDecision): SentOn {
  return sentOn('pass', changes);
}

/** An answer that asks for something that must not be sent on. */
export function refusedSentOn(code: ErrorCode): SentOn {
  return { decision: `refuse ${code}`, changes: [] };
}

function sentOn(
  decision: string,
  changes: Partial<RequestChanges & ResponseChanges> & Pick<RequestChanges, 'headers'>,
): SentOn {
  const parts: [string, string][] = [];
  for (const part of START) if (changes[part] !== undefined) parts.push([part, String(changes[part])]);
  for (const name of Object.keys(changes.headers))
    parts.push([HEADER + name, JSON.stringify(valuesOf(changes.headers[name]))]);
  if (changes.body !== undefined) parts.push(['body', bodyDigest(changes.body)]);
  return { decision, changes: parts };
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
  const [old, fresh] = [new Map(before.changes), new Map(now.changes)];
  const names = [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((part) => part.startsWith(HEADER))
    .filter((part) => !ignored.has(part.slice(HEADER.length)) && part !== `${HEADER}content-length`);
  const differences = [...START, ...names.sort()].filter((part) => old.get(part) !== fresh.get(part));
  if (old.get('body') === fresh.get('body')) return differences;
  // One policy may have set the very body that the other one left.
  const left = shown === undefined ? undefined : bodyDigest(Buffer.from(shown));
  const isSameBody = (old.get('body') ?? left) === (fresh.get('body') ?? left);
  return isSameBody ? differences : [...differences, 'body'];
}

/** What was kept with a request. undefined: it is not what was written there. */
export function parseSentOn(text: string): SentOn | undefined {
  const value = parseJson(text);
  return isJsonObject(value) && typeof value.decision === 'string' && Array.isArray(value.changes)
    ? (value as unknown as SentOn)
    : undefined;
}

/** A body of so many bytes is not read as JSON: that would take too long beside live traffic. */
const MAX_PARSED_BYTES = 65_536;

/** JSON that differs in white space only is the same. */
function bodyDigest(body: Uint8Array): string {
  const hash = createHash('sha256');
  if (body.length > MAX_PARSED_BYTES) return hash.update(body).digest('base64');
  const text = asBuffer(body).toString('utf8');
  // Numbers beyond 2^53 would be read wrong.
  const value = /^\s*[[{]/.test(text) && !/\d{16}/.test(text) ? parseJson(text) : undefined;
  return (value === undefined ? hash.update(body) : hash.update(JSON.stringify(value))).digest('base64');
}
