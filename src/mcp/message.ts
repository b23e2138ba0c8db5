import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { isJsonObject, type JsonObject } from '../http/text.js';
import { MAX_DEPTH, MAX_VALUES, readStrictJson, type ValueBudget } from './strict-json.js';

/** A string or a safe integer, as JSON-RPC in MCP has it: what cannot be told from its neighbour (1e400, 2^53 + 1) is none. */
export type MessageId = string | number;

export interface McpRequestMessage {
  readonly kind: 'request';
  readonly id: MessageId;
  readonly method: string;
  /** What the message is about: the tool, the prompt, the URI of a resource, the task. undefined for other methods. */
  readonly name: string | undefined;
  /** The revision that the message says it is of, in `_meta`; from 2026-07-28 on each request does. */
  readonly protocolVersion: string | undefined;
  readonly params: JsonObject | undefined;
}

export type McpNotification = Omit<McpRequestMessage, 'kind' | 'id'> & {
  readonly kind: 'notification';
  readonly id?: undefined;
};

export interface McpResponseMessage {
  readonly kind: 'response';
  /** undefined in an error without `id` or with null: the server could not read the request's. */
  readonly id: MessageId | undefined;
  readonly isError: boolean;
}

/** What a client may send. */
export type McpMessage = McpRequestMessage | McpNotification;

/** An error of MCP, with what its JSON-RPC answer says. HTTP status and log level stand in the catalogue under `code`. */
export class McpError extends PingAuthError {
  /** JSON-RPC error code: -32700, -32600, -32601, -32020. */
  readonly rpcCode: number;
  /** Why, for the client: nothing that it sent but names of the specification, nothing of the inside. */
  readonly words: string;
  /** Of the request; undefined when it could not be read for sure. */
  readonly id: MessageId | undefined;

  constructor(code: ErrorCode & `mcp_${string}`, rpcCode: number, words: string, id?: MessageId) {
    super(code, { detail: words });
    this.rpcCode = rpcCode;
    this.words = words;
    this.id = id;
  }
}

/** Longer ones are attempts at something: they travel in headers, in the log and with the request through Kong. */
const MAX_METHOD = 128;
const MAX_NAME = 4096;
const MAX_ID = 512;
/** At the top, in `params`, `result` or `error`: the specification has a handful, extensions some more. */
const MAX_MEMBERS = 1000;
const PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion';

/** Where the name stands in `params`. Of tasks the extension says so (SEP-2663), of the others the revision 2026-07-28. */
const NAME_MEMBERS: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/** Members that the specification defines; a reader that ignores case would take another spelling for one of them. */
const MESSAGE_MEMBERS = namesByFolded('jsonrpc id method params result error');
const PARAMS_MEMBERS = namesByFolded(
  '_meta name uri arguments cursor ref argument context level requestId reason progressToken progress total message ' +
    'protocolVersion capabilities clientInfo roots task taskId status inputResponses requestState notifications ' +
    'elicitationId',
);
const RESULT_MEMBERS = namesByFolded(
  '_meta resultType tools nextCursor content structuredContent isError resources resourceTemplates contents prompts ' +
    'messages description completion protocolVersion supportedVersions capabilities serverInfo instructions task tasks ' +
    'taskId status statusMessage inputRequests requestState ttlMs cacheScope ttl',
);
const ERROR_MEMBERS = namesByFolded('code message data');

/**
 * Reads one JSON-RPC 2.0 message, strictly: what policy and server (or client) could read in two ways is refused. That is,
 * beyond strict JSON: at the top and directly in `params`, `result`, `error` no names that differ in case only, neither
 * from each other nor from a name that the specification defines.
 *
 * @throws McpError `mcp_message_invalid`. -32700: no JSON that can be read in one way only. -32600: not a JSON-RPC 2.0
 *   message as MCP has it
 */
export function readMessage(text: string, budget?: ValueBudget): McpMessage | McpResponseMessage {
  const { value, fault } = readStrictJson(text, budget);
  if (fault !== undefined) throw new McpError('mcp_message_invalid', -32700, WORDS[fault]);
  if (Array.isArray(value)) throw invalid('batches are not accepted, send each message on its own');
  if (!isJsonObject(value)) throw invalid('the message is not an object');

  const id = readId(value);
  checkNames('the message', value, MESSAGE_MEMBERS, id);
  if (value.jsonrpc !== '2.0') throw invalid('jsonrpc is not "2.0"', id);
  const isResponse = Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error');
  return isResponse ? readResponse(value, id) : readRequest(value, id);
}

/** Reads a message of a client. @throws McpError `mcp_message_invalid` */
export function readClientMessage(text: string): McpMessage {
  const message = readMessage(text);
  if (message.kind !== 'response') return message;
  throw invalid('responses are not accepted, only requests and notifications');
}

/** The id of a message; undefined where there is none, null included, or none of the right kind. */
function readId({ id }: JsonObject): MessageId | undefined {
  if (typeof id === 'string') return id.length <= MAX_ID ? id : undefined;
  return Number.isSafeInteger(id) ? (id as number) : undefined;
}

function readRequest(value: JsonObject, id: MessageId | undefined): McpMessage {
  const { method, params } = value;
  const hasId = Object.hasOwn(value, 'id');
  if (hasId && id === undefined) throw invalid('id is neither an integer nor a string of reasonable length');
  // Visible ASCII, so that it can stand in a header as it is.
  if (typeof method !== 'string' || method.length > MAX_METHOD || !/^[\x21-\x7e]+$/.test(method)) {
    throw invalid('method is not the name of a method', id);
  }
  const known = METHODS.get(method.toLowerCase());
  if (known !== undefined && known !== method) throw invalid(`method is nearly ${known}`, id);
  if (params !== undefined && !isJsonObject(params)) throw invalid('params is not an object', id);
  if (params !== undefined) checkNames('params', params, PARAMS_MEMBERS, id);

  const nameMember = NAME_MEMBERS.get(method);
  const name = nameMember === undefined ? undefined : params?.[nameMember];
  if (nameMember !== undefined && (typeof name !== 'string' || name === '' || name.length > MAX_NAME)) {
    throw invalid(`params.${nameMember} of ${method} is not a string of reasonable length`, id);
  }
  const meta = params?._meta;
  const protocolVersion = isJsonObject(meta) ? meta[PROTOCOL_VERSION] : undefined;
  if (protocolVersion !== undefined && typeof protocolVersion !== 'string') {
    throw invalid(`${PROTOCOL_VERSION} is not a string`, id);
  }
  const about = { method, name: name as string | undefined, protocolVersion, params };
  return id === undefined ? { kind: 'notification', ...about } : { kind: 'request', id, ...about };
}

function readResponse(value: JsonObject, id: MessageId | undefined): McpResponseMessage {
  const { result, error } = value;
  const isError = Object.hasOwn(value, 'error');
  if (isError && Object.hasOwn(value, 'result')) throw invalid('a message with result and error', id);
  if (Object.hasOwn(value, 'method')) throw invalid('a response with a method', id);
  const content = isError ? error : result;
  if (!isJsonObject(content)) throw invalid('result or error is not an object', id);
  checkNames('the response', content, isError ? ERROR_MEMBERS : RESULT_MEMBERS, id);
  if (isError && (!Number.isInteger(content.code) || typeof content.message !== 'string')) {
    throw invalid('an error without code or message', id);
  }
  const mayLackId = isError && (value.id === undefined || value.id === null);
  if (id === undefined && !mayLackId) throw invalid('a response without the id of its request');
  return { kind: 'response', id, isError };
}

/** @throws McpError when the names of an object's members could be read in two ways */
function checkNames(
  what: string,
  object: JsonObject,
  defined: ReadonlyMap<string, string>,
  id: MessageId | undefined,
): void {
  const names = Object.keys(object);
  if (names.length > MAX_MEMBERS) throw invalid(`${what} has more than ${MAX_MEMBERS} members`, id);
  const seen = new Set<string>();
  for (const name of names) {
    const folded = fold(name);
    const wanted = defined.get(folded) ?? name;
    if (wanted !== name) throw invalid(`${what} has a member that is nearly called ${wanted}`, id);
    if (seen.has(folded)) throw invalid(`${what} has two members whose names differ in case only`, id);
    seen.add(folded);
  }
}

/**
 * A name as readers see it that ignore case, the most generous of them: for Go `ſ` is an s and the Kelvin sign a k, for
 * Java the Turkish i are both an i, and for C a name ends at its first NUL.
 */
function fold(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  if (/^[\x01-\x7f]*$/.test(name)) return name.toLowerCase();
  return (name.split('\0', 1)[0] ?? '').toUpperCase().toLowerCase().replaceAll('i\u0307', 'i');
}

function namesByFolded(names: string): ReadonlyMap<string, string> {
  return new Map(names.split(' ').map((name) => [name.toLowerCase(), name]));
}

const WORDS = {
  'no JSON': 'the body is not JSON',
  'half a surrogate pair': 'the body holds half a surrogate pair, which is no text',
  'too deep': `the body is nested deeper than ${MAX_DEPTH}`,
  'too many values': `the body holds more than ${MAX_VALUES} values`,
  'a member twice': 'an object in the body has a member twice',
} as const;

function invalid(words: string, id?: MessageId): McpError {
  return new McpError('mcp_message_invalid', -32600, words, id);
}

/** All requests and notifications that some revision from 2025-03-26 to 2026-07-28 has clients send. */
const METHODS = namesByFolded(
  'initialize ping server/discover tools/list tools/call resources/list resources/templates/list resources/read ' +
    'resources/subscribe resources/unsubscribe prompts/list prompts/get completion/complete logging/setLevel ' +
    'subscriptions/listen tasks/get tasks/list tasks/result tasks/update tasks/cancel notifications/initialized ' +
    'notifications/cancelled notifications/progress notifications/roots/list_changed notifications/tasks/status',
);

/** The method as the label of a metric: clients must not be able to make new series. */
export function methodLabel({ method }: { readonly method: string }): string {
  return METHODS.get(method.toLowerCase()) === method ? method : 'other';
}
