import type { HttpResponse } from '../http/message.js';
import { isJsonObject } from '../http/text.js';
import { readEventStream } from './event-stream.js';
import { bodyType, JSON_HEADERS } from './headers.js';
import { McpError, type MessageId, readMessage } from './message.js';
import { MAX_VALUES, readStrictJson, type ValueBudget } from './strict-json.js';

/** Of a stream and of no use with the one message that is left of it. */
const STREAM_HEADERS = new Set(['content-type', 'x-accel-buffering', 'cache-control', 'last-event-id']);

/** Which answer a response has to carry: that to a request with this id; with undefined, to a notification. */
export type AwaitedId = MessageId | undefined;

/**
 * Reads the response to a message. What the policy is shown and the client gets is one JSON-RPC response as
 * application/json, whether the server sent it so or as the end of an event stream.
 *
 * @param text the body as the policy is shown it, `''` without one; undefined when it is no text or too large to be shown
 * @param awaited of the request's message
 * @returns the response itself, or in place of a stream the one message in it
 * @throws McpError `mcp_response_invalid` for a response that a policy and a client could understand differently or that
 *   is not the one to this request; it must not go out
 */
export function readMcpResponse(
  response: HttpResponse,
  text: string | undefined,
  awaited: AwaitedId,
): HttpResponse {
  const type = bodyType(response.headers);
  const isSuccess = response.status >= 200 && response.status <= 299;
  if (text === undefined) throw withheld('the body is no text in UTF-8 or over the limit', awaited);
  if (type === 'stream') {
    if (!isSuccess || awaited === undefined) throw withheld('a stream where none belongs', awaited);
    return withoutStream(response, messageOfStream(text, awaited));
  }
  if (type === 'json' && text !== '') {
    if (!isSuccess || awaited === undefined) checkOther(text, awaited);
    else if (idIn(text, awaited) !== awaited) throw ofAnother(awaited);
    return response;
  }
  // An error page, a redirect, "Accepted": HTTP like any other, which no client reads as a message.
  if (!isSuccess || awaited === undefined) return response;
  throw withheld(text === '' ? 'no response' : 'neither JSON nor an event stream', awaited);
}

/** The text of the one response in a stream. Notifications are dropped: they come too late to be of use. */
function messageOfStream(text: string, awaited: MessageId): string {
  const { messages, fault } = readEventStream(text);
  if (fault !== undefined) throw withheld(fault, awaited);
  let found: string | undefined;
  // Together no more than one message may have: a stream is one body.
  const budget = { left: MAX_VALUES };
  for (const candidate of messages) {
    const message = read(candidate, awaited, budget);
    if (message.kind === 'notification') continue;
    if (message.kind === 'request')
      throw withheld('a request of the server, which cannot be answered', awaited);
    if (found !== undefined) throw withheld('two responses', awaited);
    if (message.id !== awaited) throw ofAnother(awaited);
    found = candidate;
  }
  if (found === undefined) throw withheld('a stream without a response', awaited);
  return found;
}

/** The id of the response in a text. */
function idIn(text: string, awaited: AwaitedId): MessageId | undefined {
  const message = read(text, awaited);
  if (message.kind !== 'response') throw withheld('no response but a message of another kind', awaited);
  return message.id;
}

function read(text: string, awaited: AwaitedId, budget?: ValueBudget): ReturnType<typeof readMessage> {
  try {
    return readMessage(text, budget);
  } catch (thrown) {
    throw thrown instanceof McpError ? withheld(thrown.words, awaited) : thrown;
  }
}

/**
 * JSON of an error, or after a notification: a JSON-RPC error, whose id may be missing, or somebody else's JSON (a proxy's,
 * an OAuth error). It must be JSON that is read in one way, and no response to another request.
 */
function checkOther(text: string, awaited: AwaitedId): void {
  const { fault, value } = readStrictJson(text);
  if (fault !== undefined) throw withheld(`the body is ${fault}`, awaited);
  if (!isJsonObject(value) || !Object.hasOwn(value, 'jsonrpc')) return;
  if (![undefined, awaited].includes(idIn(text, awaited))) throw ofAnother(awaited);
}

function withoutStream({ status, headers }: HttpResponse, message: string): HttpResponse {
  const kept = headers.filter((name) => !STREAM_HEADERS.has(name));
  return { status, headers: kept.with(JSON_HEADERS), body: Buffer.from(message, 'utf8') };
}

function ofAnother(awaited: AwaitedId): McpError {
  return withheld('a response with the id of another request', awaited);
}

function withheld(words: string, id: AwaitedId): McpError {
  return new McpError('mcp_response_invalid', -32603, words, id);
}
