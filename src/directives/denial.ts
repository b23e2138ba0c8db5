import { HeaderList } from '../exchange/header-list.js';
import { isKongResponseHeader, isResponseFraming } from '../exchange/header-rules.js';
import type { ResponseToSend } from '../exchange/http-message.js';
import type { AnsweredResponse } from '../exchange/sideband-message.js';
import { allowsBody } from '../exchange/status.js';
import type { Note } from './decision.js';
import { checkBody, checkHeaderName, checkHeaderValue, checkStatus } from './validation.js';

/** Described the provider's own transport of the body, which is plain text by now; Kong writes its own Server. */
const DROPPED = new Set(['content-encoding', 'server']);

/**
 * The response with which the policy denies a request, as the client gets it: repeated headers kept, framing dropped.
 * @throws PingAuthError `directive_invalid`
 */
export function denialToSend(answered: AnsweredResponse): {
  response: ResponseToSend;
  notes: readonly Note[];
} {
  const status = checkStatus(answered.responseCode);
  const notes: Note[] = [];
  const fields: [string, string][] = [];
  for (const [rawName, rawValue] of answered.headers) {
    const name = checkHeaderName(rawName);
    const value = checkHeaderValue(name, rawValue);
    if (!isResponseFraming(name) && !isKongResponseHeader(name) && !DROPPED.has(name))
      fields.push([name, value]);
    else if (name !== 'content-length') notes.push({ what: 'dropped_header', name });
  }
  const body = allowsBody(status, 'GET') ? checkBody(answered.body ?? '') : new Uint8Array();
  return { response: { status, headers: HeaderList.from(fields), body }, notes };
}
