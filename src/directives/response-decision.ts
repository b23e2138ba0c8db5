import { allowsBody } from '../http/admission.js';
import {
  type HeaderField,
  HeaderList,
  isReservedInResponse,
  SINGLETONS_IN_RESPONSE,
} from '../http/headers.js';
import type { BodyView, HttpResponse } from '../http/message.js';
import type { AnsweredResponse, ResponseAnswer } from '../sideband/messages.js';
import {
  changedBody,
  changedText,
  type Denial,
  type IgnoredDirective,
  type ResponseDecision,
} from './decision.js';
import { responseHeaderChanges } from './header-changes.js';
import { checkBody, checkHeaderName, checkHeaderValue, checkSingleton, checkStatus } from './validation.js';

/** Described the provider's own transport of the body, which is plain text by now; Kong writes its own Server. */
const DROPPED_IN_DENIAL: ReadonlySet<string> = new Set(['content-encoding', 'server']);

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
  const before = response.status;
  const status =
    String(answer.responseCode) === String(before) ? undefined : checkStatus(answer.responseCode);
  const after = status ?? before;
  const notes: IgnoredDirective[] = [];
  const changes = responseHeaderChanges(response.headers, answer.headers, notes);
  let text: string | undefined;
  if (allowsBody(after, method)) {
    text = changedText(answer.body, bodyView, changes);
    // Not shown, so "empty" does not mean "erase it". But a policy that makes a 200 into a 403 withholds the response:
    // the upstream's bytes would be the very thing that the client must not have.
    if (bodyView.kind === 'omitted' && statusClass(before) !== statusClass(after)) text ??= '';
  } else {
    if (answer.body !== undefined && answer.body !== '')
      notes.push({ what: 'unchangeable_field', name: 'body' });
    if (response.body.length > 0 && method !== 'HEAD') text = '';
  }
  // Recorded: 204 made into another status without writing a body leaves the client waiting, after HEAD too.
  if (status !== undefined && before === 204) text ??= '';
  const { headers, body } = changedBody(text, changes, response.headers);
  return { notes, changes: { status, headers, body } };
}

function statusClass(status: number): number {
  return Math.trunc(status / 100);
}

/**
 * The response with which the policy denies a request, as the client gets it: repeated headers kept, framing dropped.
 * @throws PingAuthError `directive_invalid`
 */
export function denialToSend(answered: AnsweredResponse): Denial {
  const status = checkStatus(answered.responseCode);
  const notes: IgnoredDirective[] = [];
  const fields: HeaderField[] = [];
  for (const [rawName, rawValue] of answered.headers) {
    const name = checkHeaderName(rawName);
    const value = checkHeaderValue(name, rawValue);
    if (!isReservedInResponse(name) && !DROPPED_IN_DENIAL.has(name)) fields.push([name, value]);
    else if (name !== 'content-length') notes.push({ what: 'dropped_header', name });
  }
  const list = HeaderList.from(fields);
  const repeated = list.names().filter((name) => SINGLETONS_IN_RESPONSE.has(name));
  const headers = list.with(
    Object.fromEntries(repeated.map((name) => [name, checkSingleton(name, list.getAll(name))])),
  );
  const body = checkBody(allowsBody(status, 'GET') ? (answered.body ?? '') : '');
  return { kind: 'deny', response: { status, headers, body }, notes };
}
