import type { HeaderField, HeaderList } from '../http/headers.js';
import type { BodyView, HttpRequest } from '../http/message.js';
import {
  type AnsweredUrl,
  checkNewPath,
  defaultPort,
  escapePath,
  escapeQuery,
  normalisePath,
  parseAnsweredUrl,
  parseAuthority,
} from '../http/request-url.js';
import { trimBlanks } from '../http/text.js';
import type { CertificateJwk, RequestAnswer } from '../sideband/messages.js';
import { changedBody, changedText, type IgnoredDirective, type RequestDecision } from './decision.js';
import { requestHeaderChanges } from './header-changes.js';
import { denialToSend } from './response-decision.js';
import { checkNewMethod, invalid } from './validation.js';

/** What the policy was shown of a request, where that differs from the request. */
export interface ShownRequest {
  /** Of `composeUrl`. */
  readonly url: string;
  /** The client's headers without the excluded ones, their bytes as they came. */
  readonly headers: HeaderList;
  readonly body: BodyView;
  readonly certificate: CertificateJwk | undefined;
}

type Permit = Extract<RequestAnswer, { kind: 'permit' }>;

/**
 * What becomes of a request: the policy's own response, or the changes with which it is forwarded. A change is what
 * differs from what the policy was SHOWN; all else keeps the client's bytes.
 * @throws PingAuthError `directive_invalid` when the answer asks for something that must not be sent on;
 *   `request_unreadable` when the client's own headers would cancel it.
 */
export function decideRequest(
  answer: RequestAnswer,
  request: HttpRequest,
  shown: ShownRequest,
): RequestDecision {
  if (answer.kind === 'deny') return denialToSend(answer.response);
  // A URL that comes back as it was shown changes nothing; undefined says so.
  const url = answer.url === shown.url ? undefined : parseAnsweredUrl(answer.url);
  const method = answer.method === request.method ? undefined : checkNewMethod(answer.method, request.method);
  const host = newUpstreamHost(url, answer.headers, request);
  const notes: IgnoredDirective[] = [];
  const changes = requestHeaderChanges(request.headers, shown.headers, answer.headers, notes);
  noteUnchangeable(answer, url, host, request, shown, notes);
  const text = changedText(answer.body, shown.body, changes);
  const { headers, body } = changedBody(text, changes, request.headers);
  const path = url && newPath(url.path, request.url.path);
  const query = url && newQuery(url.query, request.url.query ?? '');
  return {
    kind: 'permit',
    state: answer.state,
    notes,
    changes: { method, path, query, host, headers, body },
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

/** What the policy changed although nothing can come of it; a member that it left out is not a change. */
function noteUnchangeable(
  { sourceIp, sourcePort, clientCertificate }: Permit,
  url: AnsweredUrl | undefined,
  newHost: string | undefined,
  request: HttpRequest,
  shown: ShownRequest,
  notes: IgnoredDirective[],
): void {
  const note = (name: string) => notes.push({ what: 'unchangeable_field', name });
  if (url !== undefined && url.scheme !== request.url.scheme) note('scheme');
  // Kong chooses the upstream's port by its service. With another host the port goes into the Host header.
  if (newHost === undefined && url?.port !== undefined && url.port !== request.url.port) note('port');
  if (sourceIp !== undefined && sourceIp !== request.sourceIp) note('source_ip');
  if (sourcePort !== undefined && String(sourcePort) !== String(request.sourcePort)) note('source_port');
  if (clientCertificate !== undefined && clientCertificate !== null) {
    if (!sameMembers(clientCertificate, shown.certificate)) note('client_certificate');
  }
}

/** The same JSON object, in whatever order its members come back. */
function sameMembers(answered: unknown, shown: object | undefined): boolean {
  if (typeof answered !== 'object' || answered === null || shown === undefined) return false;
  return sortedJson(answered) === sortedJson(shown);
}

function sortedJson(value: object): string {
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/**
 * The `Host` that the policy wants for the upstream, from its URL or its Host header; undefined when it changed neither.
 * A Host that is missing from the answer stays: there is no request without one.
 * @throws PingAuthError `directive_invalid` for an invalid host, several Host headers, or two that disagree.
 */
function newUpstreamHost(
  url: AnsweredUrl | undefined,
  headers: readonly HeaderField[],
  request: HttpRequest,
): string | undefined {
  const fromUrl = url && hostOfUrl(url, request);
  const fromHeader = hostOfHeader(headers, request);
  if (fromHeader === undefined || fromUrl === undefined) return fromHeader?.value ?? fromUrl;
  if (fromHeader.host.toLowerCase() !== url?.host.toLowerCase()) {
    throw invalid('url and the Host header name different hosts');
  }
  return fromHeader.value;
}

/**
 * The port is written only where the policy chose it: the one that was shown is the gateway's own and means nothing to
 * the upstream.
 */
function hostOfUrl(url: AnsweredUrl, request: HttpRequest): string | undefined {
  if (url.host.toLowerCase() === request.url.host.toLowerCase()) return undefined;
  const { port } = url;
  const isChosen = port !== undefined && port !== request.url.port && port !== defaultPort(url.scheme);
  return isChosen ? `${url.host}:${port}` : url.host;
}

function hostOfHeader(
  headers: readonly HeaderField[],
  request: HttpRequest,
): { host: string; value: string } | undefined {
  let raw: string | undefined;
  for (const [name, value] of headers) {
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (raw !== undefined) throw invalid('several Host headers');
    raw = value;
  }
  if (raw === undefined) return undefined;
  const value = trimBlanks(raw);
  if (value.toLowerCase() === request.headers.get('host')?.toLowerCase()) return undefined;
  return { host: parseAuthority(value, 'header host').host, value };
}
