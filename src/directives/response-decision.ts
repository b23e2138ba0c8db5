import type { HttpResponse, ShownBody } from '../exchange/http-message.js';
import type { ShownResponse } from '../exchange/response-payload.js';
import type { ResponseAnswer } from '../exchange/sideband-message.js';
import { allowsBody } from '../exchange/status.js';
import type { Note, ResponseDecision } from './decision.js';
import { withoutContentEncoding } from './header-diff.js';
import { responseHeaderChanges } from './response-headers.js';
import { checkBody, checkStatus } from './validation.js';

const NOTHING = new Uint8Array();

/**
 * What the client gets of the upstream's response. A change is what differs from what the policy was shown; all else
 * keeps the upstream's bytes.
 * @throws PingAuthError `directive_invalid` when the answer asks for something that must not be sent on.
 */
export function decideResponse(
  answer: ResponseAnswer,
  response: HttpResponse,
  shown: Pick<ShownResponse, 'body' | 'method'>,
): ResponseDecision {
  const isSameStatus = String(answer.responseCode) === String(response.status);
  const status = isSameStatus ? undefined : checkStatus(answer.responseCode);
  const headers = responseHeaderChanges(response.headers, answer.headers);
  const notes: Note[] = [...headers.notes];
  const after = status ?? response.status;
  let body: Uint8Array | undefined;
  if (allowsBody(after, shown.method)) {
    body = newResponseBody(answer.body, shown.body, response.status, after);
  } else {
    if (answer.body !== undefined && answer.body !== '')
      notes.push({ what: 'unchangeable_field', name: 'body' });
    if (response.body.length > 0 && shown.method !== 'HEAD') body = NOTHING;
  }
  // Recorded: 204 made into another status without writing a body leaves the client waiting, after HEAD too.
  if (body === undefined && status !== undefined && response.status === 204) body = NOTHING;
  return {
    notes,
    changes: {
      status,
      headers:
        body === undefined
          ? headers.changes
          : withoutContentEncoding(headers.changes, response.headers.names()),
      body,
    },
  };
}

function newResponseBody(
  answered = '',
  shown: ShownBody,
  before: number,
  after: number,
): Uint8Array | undefined {
  if (shown.kind === 'text') return answered === shown.text ? undefined : checkBody(answered);
  if (answered !== '') return checkBody(answered);
  if (shown.kind === 'absent') return undefined;
  // Not shown, so "empty" does not mean "erase it". But a policy that makes a 200 into a 403 withholds the response:
  // the upstream's bytes would be the very thing that the client must not have.
  return statusClass(before) === statusClass(after) ? undefined : NOTHING;
}

function statusClass(status: number): number {
  return Math.trunc(status / 100);
}
