import { reasonPhrase } from '../http/admission.js';
import type { HeaderList } from '../http/headers.js';
import type { ResponseToSend } from '../http/message.js';
import { decodeUtf8, isJsonObject, parseJson } from '../http/text.js';
import { JSON_HEADERS } from './headers.js';
import { McpError, type MessageId } from './message.js';

/** Enough for a reason; more would be somebody's error page in the model's context. */
const MAX_WORDS = 500;
/** Where policies put what a person may read, the most particular first. */
const WORD_MEMBERS = ['message', 'detail', 'error_description'];
/** They describe the body that is replaced, or are about to be said in the new one. */
const BODY_HEADERS = new Set([
  ...['content-type', 'content-language', 'content-location', 'content-disposition', 'content-range'],
  ...['content-digest', 'repr-digest', 'digest', 'etag', 'last-modified', 'cache-control', 'approval-url'],
]);

/**
 * The policy's denial as a JSON-RPC error with the request's id and HTTP status 200: an MCP client hands that on to the
 * model, which learns why and can do something else, whereas an HTTP error ends in an exception.
 *
 * As the policy said it stays where HTTP means something to clients: 401 and whatever has a WWW-Authenticate (they get a
 * new token), redirects; where the policy answers itself (2xx); and for notifications, which get no answer.
 *
 * @param id of the request; undefined for a notification
 */
export function denialForAgent(denial: ResponseToSend, id: MessageId | undefined): ResponseToSend {
  const { status, headers } = denial;
  if (id === undefined) return denial;
  if (status < 400 || status === 401 || headers.has('www-authenticate')) return denial;
  const message = reasonIn(denial) ?? `Denied by the policy (${status} ${reasonPhrase(status)})`;
  return answerForAgent(headers, id, { error: { code: status, message, data: { status } } });
}

/**
 * A JSON-RPC response of ours in the place of a denial.
 *
 * @param headers of the denial; what is about its body does not go along
 * @param content its `result` or `error`
 */
export function answerForAgent(headers: HeaderList, id: MessageId, content: object): ResponseToSend {
  const kept = headers.filter((name) => !BODY_HEADERS.has(name));
  return { status: 200, headers: kept.with(JSON_HEADERS), body: messageBody(id, content) };
}

/**
 * A refusal of ours, its HTTP status and headers kept, with a JSON-RPC error in place of its body.
 *
 * @param errorResponse as the client would get it without MCP
 * @param error why; its code becomes that of the JSON-RPC error if it is one of MCP, otherwise the HTTP status does
 * @param id of the request as far as it is known
 */
export function errorResponseForAgent(
  errorResponse: ResponseToSend,
  error: { readonly entry: { readonly message: string } },
  id: MessageId | undefined,
): ResponseToSend {
  const { status, headers, body } = errorResponse;
  const data = { status, request_id: requestIdIn(body) };
  // RFC 9110, section 15.5.6.
  const allow = status === 405 ? { allow: 'POST, DELETE, OPTIONS' } : {};
  const [code, message, known] =
    error instanceof McpError
      ? [error.rpcCode, clientWords(error), error.id ?? id]
      : [status, error.entry.message, id];
  return {
    status,
    headers: headers.with({ ...JSON_HEADERS, ...allow }),
    body: messageBody(known, { error: { code, message, data } }),
  };
}

/** A client learns what is wrong with its own message, and nothing of what the server answered. */
function clientWords(error: McpError): string {
  return error.code === 'mcp_response_invalid'
    ? error.entry.message
    : `${error.entry.message}: ${error.words}`;
}

/** Without an id where none is known: MCP has no `null` there. */
function messageBody(id: MessageId | undefined, content: object): Uint8Array {
  return Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, ...content }), 'utf8');
}

/** What a person, or a model, may read of a denial; undefined when it gives no reason. HTML is not for them. */
export function reasonIn({ headers, body }: ResponseToSend): string | undefined {
  const text = decodeUtf8(body) ?? '';
  const type = headers.get('content-type') ?? '';
  const parsed = /json/i.test(type) || type === '' ? parseJson(text) : undefined;
  const words = isJsonObject(parsed)
    ? WORD_MEMBERS.map((name) => parsed[name]).find((word) => typeof word === 'string' && word !== '')
    : /^text\/plain\b/i.test(type) || type === ''
      ? text
      : undefined;
  return printable(String(words ?? '')) || undefined;
}

/** On one line, without control, format and unassigned characters, cut between characters. */
function printable(text: string): string {
  const clean = text
    .slice(0, 8 * MAX_WORDS)
    .replaceAll(/[\s\p{C}]+/gu, ' ')
    .trim();
  const characters = [...clean];
  return characters.length <= MAX_WORDS ? clean : `${characters.slice(0, MAX_WORDS - 1).join('')}…`;
}

function requestIdIn(body: Uint8Array): string | undefined {
  const value = parseJson(decodeUtf8(body) ?? '');
  return isJsonObject(value) && typeof value.request_id === 'string' ? value.request_id : undefined;
}
