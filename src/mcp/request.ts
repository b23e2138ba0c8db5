import { PingAuthError } from '../errors/ping-auth-error.js';
import {
  canonicalName,
  type HeaderChanges,
  type HeaderList,
  headerChanges,
  isRemoval,
} from '../http/headers.js';
import type { HttpRequest } from '../http/message.js';
import { decodeUtf8 } from '../http/text.js';
import { APPROVED_METHODS, type ApprovalResponse, withoutApproval } from './approval-state.js';
import { argumentsDigest } from './arguments-digest.js';
import {
  APPROVAL_HEADER,
  bodyType,
  DIGEST_HEADER,
  disagreement,
  encodeValue,
  GATEWAY_HEADERS,
  headersToShow,
  MCP_HEADERS,
  METHOD_HEADER,
  NAME_HEADER,
  reservedHeader,
  unexpectedHeader,
} from './headers.js';
import { McpError, type McpMessage, readClientMessage } from './message.js';

const SHOWN_HEADERS: ReadonlySet<string> = new Set([...MCP_HEADERS, ...GATEWAY_HEADERS]);

/** A request that carries a message, as the policy is shown it. */
export interface McpRequest {
  readonly message: McpMessage;
  readonly headers: HeaderList;
  /** JSON of the message. */
  readonly text: string;
  /** Whether that is another text than the client sent: what was meant for ping-auth is out of it, and must not be forwarded. */
  readonly isRewritten: boolean;
  /** What a person answered when their client asked them to open the page for an approval; undefined unless they refused. */
  readonly approvalResponse: ApprovalResponse | undefined;
}

/** What the policy changed in a request; undefined: it stays. */
interface ChangedRequest {
  readonly method: string | undefined;
  readonly headers: HeaderChanges;
  readonly body: Uint8Array | undefined;
}

/**
 * Reads a request to an MCP server, before the policy is asked.
 *
 * @param text the body as the policy is shown it, `''` without one; undefined when it is no text or too large to be shown
 * @param buffersResponses whether responses are buffered to their end, so that an endless one would never reach the client
 * @returns undefined for a request without a message, which is one like any other: DELETE (ends a session) and OPTIONS,
 *   and GET (a stream) where responses are not buffered
 * @throws McpError
 */
export function readMcpRequest(
  request: Pick<HttpRequest, 'method' | 'headers'>,
  text: string | undefined,
  buffersResponses: boolean,
): McpRequest | undefined {
  const { method, headers } = request;
  if (method !== 'POST') {
    const isOffered = method === 'DELETE' || method === 'OPTIONS' || (method === 'GET' && !buffersResponses);
    if (!isOffered) {
      const why = method === 'GET' ? 'this gateway offers no stream' : 'messages come by POST';
      throw new McpError('mcp_method_not_allowed', -32600, `Method not allowed: ${why}`);
    }
    // A server that looks at the body whatever the method is would find a message that was not checked.
    if (text !== '') throw new McpError('mcp_message_invalid', -32600, `${method} with a body`);
    const unexpected = unexpectedHeader(headers) ?? reservedHeader(headers);
    if (unexpected !== undefined) throw new McpError('mcp_headers_disagree', -32020, unexpected);
    return undefined;
  }
  // The server decodes with the charset that it is told, and UTF-7 or UTF-16 would make other JSON of the same bytes.
  if (bodyType(headers) !== 'json') {
    const words = 'Content-Type is not application/json, in UTF-8 and given once';
    throw new McpError('mcp_message_invalid', -32600, words);
  }
  if (text === undefined) {
    throw new McpError('mcp_message_invalid', -32700, 'the body is no text in UTF-8 or over the limit');
  }
  const sent = readClientMessage(text);
  const retry = withoutApproval(sent, text);
  const message = retry?.message ?? sent;
  const wrong = reservedHeader(headers) ?? disagreement(message, headers);
  if (wrong !== undefined) throw new McpError('mcp_headers_disagree', -32020, wrong, message.id);
  if (buffersResponses && message.method === 'subscriptions/listen') {
    const words = 'Method not found: this gateway buffers responses and offers no streams';
    throw new McpError('mcp_method_not_offered', -32601, words, message.id);
  }
  const read = {
    message,
    text: retry?.text ?? text,
    isRewritten: retry !== undefined,
    approvalResponse: retry?.response,
  };
  const isApprovable = APPROVED_METHODS.has(message.method);
  const shown = headersToShow(message, headers, {
    [DIGEST_HEADER]: isApprovable ? argumentsDigest(message, read.text) : undefined,
    [APPROVAL_HEADER]: read.approvalResponse,
  });
  return { ...read, headers: shown };
}

/**
 * The header changes of a request that the policy permitted: `Mcp-Name` follows a changed body where the
 * client sent it, and what was made for the policy's eyes stays here.
 *
 * The policy may change what a message is about (tool, arguments), not what it is: the response would fit no request.
 *
 * @param client the headers of the client
 * @throws PingAuthError `directive_invalid` when headers and body would not agree, or the body is no such message any more
 */
export function mcpHeaderChanges(
  { message, headers: shown }: McpRequest,
  client: HeaderList,
  changed: ChangedRequest,
): HeaderChanges {
  const { headers } = changed;
  if (changed.method !== undefined) throw notAccepted('changes the HTTP method of an MCP message');
  const touchesHeaders = Object.keys(headers).some((name) => SHOWN_HEADERS.has(canonicalName(name)));
  if (changed.body === undefined && !touchesHeaders) return headers;

  const after = changed.body === undefined ? message : changedMessage(message, changed.body);
  const following = headerChanges(headers);
  if (after.name !== message.name && after.name !== undefined && !(NAME_HEADER in headers)) {
    following[NAME_HEADER] = encodeValue(after.name);
  }
  const wrong = disagreement(after, shown.with(following));
  if (wrong !== undefined) throw notAccepted(`makes headers and body differ: ${wrong}`);
  for (const name of Object.keys(following)) {
    if (isRemoval(following[name])) continue;
    const isUnsent = (name === METHOD_HEADER || name === NAME_HEADER) && !client.has(name);
    if (isUnsent || (name in headers && GATEWAY_HEADERS.includes(canonicalName(name))))
      delete following[name];
  }
  return following;
}

function changedMessage(before: McpMessage, body: Uint8Array): McpMessage {
  let after: McpMessage;
  try {
    after = readClientMessage(decodeUtf8(body) ?? '');
  } catch (thrown) {
    if (thrown instanceof McpError) throw notAccepted(`makes the body no MCP message: ${thrown.words}`);
    throw thrown;
  }
  if (after.kind !== before.kind || after.id !== before.id || after.method !== before.method) {
    throw notAccepted('changes the id or the method of an MCP message');
  }
  return after;
}

function notAccepted(what: string): PingAuthError {
  return new PingAuthError('directive_invalid', { detail: `the policy's answer ${what}` });
}
