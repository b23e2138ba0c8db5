import {
  type HeaderChanges,
  type HeaderField,
  HeaderList,
  headerChanges,
  isEmpty,
  NO_HEADER_CHANGES,
  oneOrMany,
  valuesOf,
} from '../http/header-list.js';
import {
  canonicalName,
  isKongResponseHeader,
  isResponseFraming,
  isSingletonInResponse,
} from '../http/header-rules.js';
import { allowsBody, type BodyView, type HttpResponse, type ResponseToSend } from '../http/message.js';
import type { AnsweredResponse, ResponseAnswer } from '../sideband/messages.js';
import { changedBody, textOfOtherHeaders } from './changed-body.js';
import { type IgnoredDirective, NO_NOTES, type ResponseDecision } from './decision.js';
import { diffHeaders } from './header-diff.js';
import { checkBody, checkHeaderName, checkHeaderValue, checkSingleton, checkStatus } from './validation.js';

const NOTHING = new Uint8Array();

/** Missing in an answer, these stay, as with the existing plugin: a provider leaves them out without meaning anything by it. */
const KEPT = new Set(['connection', 'content-length', 'date', 'transfer-encoding', 'vary']);

/** Described the provider's own transport of the body, which is plain text by now; Kong writes its own Server. */
const DROPPED_IN_DENIAL = new Set(['content-encoding', 'server']);

/**
 * What the client gets of the upstream's response. A change is what differs from what the policy was shown; all else
 * keeps the upstream's bytes.
 * @param bodyView what of the body the policy was shown
 * @param method of the request: a response to HEAD has no body
 * @throws PingAuthError `directive_invalid` when the answer asks for something that must not be sent on.
 */
export function decideResponse(
  answer: ResponseAnswer,
  response: HttpResponse,
  bodyView: BodyView,
  method: string,
): ResponseDecision {
  const isSameStatus = String(answer.responseCode) === String(response.status);
  const status = isSameStatus ? undefined : checkStatus(answer.responseCode);
  const headers = responseHeaderChanges(response.headers, answer.headers);
  let { notes } = headers;
  const after = status ?? response.status;
  let text: string | undefined;
  if (allowsBody(after, method)) {
    text =
      newResponseBody(answer.body, bodyView, response.status, after) ??
      textOfOtherHeaders(bodyView, headers.changes);
  } else {
    if (answer.body !== undefined && answer.body !== '')
      notes = [...notes, { what: 'unchangeable_field', name: 'body' }];
    if (response.body.length > 0 && method !== 'HEAD') text = '';
  }
  // Recorded: 204 made into another status without writing a body leaves the client waiting, after HEAD too.
  if (text === undefined && status !== undefined && response.status === 204) text = '';
  const changed = text === undefined ? undefined : changedBody(text, headers.changes, response.headers);
  return {
    notes,
    changes: { status, headers: changed?.headers ?? headers.changes, body: changed?.bytes },
  };
}

/**
 * The response with which the policy denies a request, as the client gets it: repeated headers kept, framing dropped.
 * @throws PingAuthError `directive_invalid`
 */
export function denialToSend(answered: AnsweredResponse): {
  response: ResponseToSend;
  notes: readonly IgnoredDirective[];
} {
  const status = checkStatus(answered.responseCode);
  const notes: IgnoredDirective[] = [];
  const fields: [string, string][] = [];
  for (const [rawName, rawValue] of answered.headers) {
    const name = checkHeaderName(rawName);
    const value = checkHeaderValue(name, rawValue);
    if (!isResponseFraming(name) && !isKongResponseHeader(name) && !DROPPED_IN_DENIAL.has(name))
      fields.push([name, value]);
    else if (name !== 'content-length') notes.push({ what: 'dropped_header', name });
  }
  const body = allowsBody(status, 'GET') ? checkBody(answered.body ?? '') : NOTHING;
  return { response: { status, headers: carriable(HeaderList.from(fields)), body }, notes };
}

/** @throws PingAuthError `directive_invalid` */
function carriable(headers: HeaderList): HeaderList {
  const isFine = headers.fields.every(
    ([name]) => !isSingletonInResponse(name) || headers.getAll(name).length === 1,
  );
  if (isFine) return headers;
  const fields: HeaderField[] = [];
  const record = headers.toRecord();
  for (const name of Object.keys(record)) {
    const values = valuesOf(record[name]);
    const lines = isSingletonInResponse(name) ? checkSingleton(name, values) : values;
    for (const line of lines) fields.push([name, line]);
  }
  return HeaderList.from(fields);
}

/**
 * The changes of an answer's headers against the upstream's. Hop-by-hop and framing headers are never set; the others of
 * them may be taken away.
 * @throws PingAuthError `directive_invalid`
 */
function responseHeaderChanges(
  shown: HeaderList,
  answered: readonly HeaderField[],
): { readonly changes: HeaderChanges; readonly notes: readonly IgnoredDirective[] } {
  // Kong writes `x_under` as `x-under` in a response, so the two are one name here.
  const nameOf = (name: string) => (shown.has(name) ? name : canonicalName(name));
  const diff = diffHeaders(shown, answered, nameOf);
  if (isEmpty(diff)) return { changes: NO_HEADER_CHANGES, notes: NO_NOTES };
  const notes: IgnoredDirective[] = [];
  const changes = headerChanges();
  for (const name of Object.keys(diff)) {
    const values = valuesOf(diff[name]);
    if (values.length === 0) {
      if (!KEPT.has(name)) changes[name] = [];
    } else if (!isResponseFraming(name) && !isKongResponseHeader(name)) {
      changes[name] = oneOrMany(isSingletonInResponse(name) ? checkSingleton(name, values) : values);
    } else if (name !== 'content-length') {
      // A length is in nearly every answer and is always computed again: nothing that anybody has to know.
      notes.push({ what: 'dropped_header', name });
    }
  }
  return { changes, notes };
}

function newResponseBody(answered = '', shown: BodyView, before: number, after: number): string | undefined {
  if (shown.kind === 'text') return answered === shown.text ? undefined : answered;
  if (answered !== '') return answered;
  if (shown.kind === 'absent') return undefined;
  // Not shown, so "empty" does not mean "erase it". But a policy that makes a 200 into a 403 withholds the response:
  // the upstream's bytes would be the very thing that the client must not have.
  return statusClass(before) === statusClass(after) ? undefined : '';
}

function statusClass(status: number): number {
  return Math.trunc(status / 100);
}
