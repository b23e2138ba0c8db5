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

/** What speaks against a message, in words for the client: never quotes what the client sent but for names of ours. */
export interface MessageFault {
  readonly kind: 'fault';
  /** -32700: no JSON that can be read in one way only. -32600: not a JSON-RPC 2.0 message as MCP has it. */
  readonly code: -32700 | -32600;
  readonly words: string;
  /** Of the message, when it could be read for sure. */
  readonly id: MessageId | undefined;
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
 * Reads one JSON-RPC 2.0 message, strictly: what policy and server (or client) could read in two ways is a fault. That is,
 * beyond strict JSON: at the top and directly in `params`, `result`, `error` no names that differ in case only, neither
 * from each other nor from a name that the specification defines.
 */
export function readMessage(
  text: string,
  budget?: ValueBudget,
): McpMessage | McpResponseMessage | MessageFault {
  const { value, fault } = readStrictJson(text, budget);
  if (fault !== undefined) return unreadable(WORDS[fault]);
  if (Array.isArray(value)) return invalid('batches are not accepted, send each message on its own');
  if (!isJsonObject(value)) return invalid('the message is not an object');

  const id = readId(value);
  const confusing = confusingName(value, MESSAGE_MEMBERS);
  if (confusing !== undefined) return invalid(`the message has ${confusing}`, id);
  if (value.jsonrpc !== '2.0') return invalid('jsonrpc is not "2.0"', id);
  const isResponse = Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error');
  return isResponse ? readResponse(value, id) : readRequest(value, id);
}

/** The id of a message; undefined where there is none, null included, or none of the right kind. */
function readId({ id }: JsonObject): MessageId | undefined {
  if (typeof id === 'string') return id.length <= MAX_ID ? id : undefined;
  return Number.isSafeInteger(id) ? (id as number) : undefined;
}

function readRequest(value: JsonObject, id: MessageId | undefined): McpMessage | MessageFault {
  const { method, params } = value;
  const hasId = Object.hasOwn(value, 'id');
  if (hasId && id === undefined) return invalid('id is neither an integer nor a string of reasonable length');
  // Visible ASCII, so that it can stand in a header as it is.
  if (typeof method !== 'string' || method.length > MAX_METHOD || !/^[\x21-\x7e]+$/.test(method)) {
    return invalid('method is not the name of a method', id);
  }
  const known = METHODS.get(method.toLowerCase());
  if (known !== undefined && known !== method) return invalid(`method is nearly ${known}`, id);
  if (params !== undefined && !isJsonObject(params)) return invalid('params is not an object', id);
  const confusing = params && confusingName(params, PARAMS_MEMBERS);
  if (confusing !== undefined) return invalid(`params has ${confusing}`, id);

  const nameMember = NAME_MEMBERS.get(method);
  const name = nameMember === undefined ? undefined : params?.[nameMember];
  if (nameMember !== undefined && (typeof name !== 'string' || name === '' || name.length > MAX_NAME)) {
    return invalid(`params.${nameMember} of ${method} is not a string of reasonable length`, id);
  }
  const meta = params?._meta;
  const protocolVersion = isJsonObject(meta) ? meta[PROTOCOL_VERSION] : undefined;
  if (protocolVersion !== undefined && typeof protocolVersion !== 'string') {
    return invalid(`${PROTOCOL_VERSION} is not a string`, id);
  }
  const about = { method, name: name as string | undefined, protocolVersion, params };
  return id === undefined ? { kind: 'notification', ...about } : { kind: 'request', id, ...about };
}

function readResponse(value: JsonObject, id: MessageId | undefined): McpResponseMessage | MessageFault {
  const { result, error } = value;
  const isError = Object.hasOwn(value, 'error');
  if (isError && Object.hasOwn(value, 'result')) return invalid('a message with result and error', id);
  if (Object.hasOwn(value, 'method')) return invalid('a response with a method', id);
  const content = isError ? error : result;
  if (!isJsonObject(content)) return invalid('result or error is not an object', id);
  const confusing = confusingName(content, isError ? ERROR_MEMBERS : RESULT_MEMBERS);
  if (confusing !== undefined) return invalid(`the response has ${confusing}`, id);
  if (isError && (!Number.isInteger(content.code) || typeof content.message !== 'string')) {
    return invalid('an error without code or message', id);
  }
  const mayLackId = isError && (value.id === undefined || value.id === null);
  if (id === undefined && !mayLackId) return invalid('a response without the id of its request');
  return { kind: 'response', id, isError };
}

/** What is wrong with the names of an object's members, if anything is. */
function confusingName(object: JsonObject, defined: ReadonlyMap<string, string>): string | undefined {
  const names = Object.keys(object);
  if (names.length > MAX_MEMBERS) return `more than ${MAX_MEMBERS} members`;
  const seen = new Set<string>();
  for (const name of names) {
    const folded = fold(name);
    const wanted = defined.get(folded);
    if (wanted !== undefined && wanted !== name) return `a member that is nearly called ${wanted}`;
    if (seen.has(folded)) return 'two members whose names differ in case only';
    seen.add(folded);
  }
  return undefined;
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

function unreadable(words: string): MessageFault {
  return { kind: 'fault', code: -32700, words, id: undefined };
}

function invalid(words: string, id?: MessageId): MessageFault {
  return { kind: 'fault', code: -32600, words, id };
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
