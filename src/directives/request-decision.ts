import type { HttpRequest, ShownBody } from '../exchange/http-message.js';
import type { ShownRequest } from '../exchange/request-payload.js';
import { type AnsweredUrl, checkNewPath, parseAnsweredUrl } from '../exchange/request-url.js';
import type { RequestAnswer } from '../exchange/sideband-message.js';
import { escapePath, escapeQuery, normalisePath } from '../exchange/url-escaping.js';
import type { Note, RequestDecision } from './decision.js';
import { denialToSend } from './denial.js';
import { withoutContentEncoding } from './header-diff.js';
import { requestHeaderChanges } from './request-headers.js';
import { newUpstreamHost } from './upstream-host.js';
import { checkBody, checkNewMethod } from './validation.js';

type Permit = Extract<RequestAnswer, { kind: 'permit' }>;

/**
 * What becomes of a request: the policy's own response, or the changes with which the request goes on. A change is what
 * differs from what the policy was SHOWN; all else keeps the client's bytes.
 * @throws PingAuthError `directive_invalid` when the answer asks for something that must not be sent on;
 *   `request_unreadable` when the client's own headers would undo it.
 */
export function decideRequest(
  answer: RequestAnswer,
  request: HttpRequest,
  shown: Pick<ShownRequest, 'headers' | 'body' | 'payload'>,
): RequestDecision {
  if (answer.kind === 'deny') return { kind: 'deny', ...denialToSend(answer.response) };
  const url = parseAnsweredUrl(answer.url);
  const method = answer.method === request.method ? undefined : checkNewMethod(answer.method, request.method);
  const host = newUpstreamHost(url, answer.headers, request);
  const headers = requestHeaderChanges(request.headers, shown.headers, answer.headers);
  const body = newRequestBody(answer.body, shown.body);
  return {
    kind: 'permit',
    state: answer.state,
    notes: [...headers.notes, ...unchangeable(answer, url, request, shown)],
    changes: {
      method,
      path: newPath(url.path, request.url.path),
      query: newQuery(url.query, request.url.query ?? ''),
      host,
      headers:
        body === undefined
          ? headers.changes
          : withoutContentEncoding(headers.changes, request.headers.names()),
      body,
    },
  };
}

/** A path that Kong would normalise to the same one is no change: `set_path` would switch `strip_path` off for nothing. */
function newPath(answered: string, shown: string): string | undefined {
  if (answered === shown || normalisePath(answered) === shown) return undefined;
  checkNewPath(answered);
  return escapePath(answered);
}

function newQuery(answered: string, raw: string): string | undefined {
  const wanted = escapeQuery(answered);
  return wanted === escapeQuery(raw) ? undefined : wanted;
}

/** A text that was shown and does not come back was removed; what was not shown cannot be, but it can be replaced. */
function newRequestBody(answered = '', shown: ShownBody): Uint8Array | undefined {
  if (shown.kind === 'text') return answered === shown.text ? undefined : checkBody(answered);
  return answered === '' ? undefined : checkBody(answered);
}

/** What the policy changed although nothing can come of it; a member that it left out is not a change. */
function unchangeable(
  answer: Permit,
  url: AnsweredUrl,
  request: HttpRequest,
  shown: Pick<ShownRequest, 'payload'>,
): Note[] {
  const { sourceIp, sourcePort, clientCertificate } = answer;
  const notes: Note[] = [];
  const note = (name: string) => notes.push({ what: 'unchangeable_field', name });
  if (url.scheme !== request.url.scheme) note('scheme');
  if (sourceIp !== undefined && sourceIp !== request.sourceIp) note('source_ip');
  if (sourcePort !== undefined && String(sourcePort) !== String(request.sourcePort)) note('source_port');
  if (clientCertificate !== undefined && clientCertificate !== null) {
    if (!sameMembers(clientCertificate, shown.payload.client_certificate)) note('client_certificate');
  }
  return notes;
}

/** The same JSON object, in whatever order its members come back. */
function sameMembers(answered: unknown, shown: object | undefined): boolean {
  if (typeof answered !== 'object' || answered === null || shown === undefined) return false;
  return sortedJson(answered) === sortedJson(shown);
}

function sortedJson(value: object): string {
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
