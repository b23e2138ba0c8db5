import { canonicalName, type HeaderChanges, type HeaderList, headerChanges } from '../http/headers.js';
import { decodeUtf8 } from '../http/text.js';
import type { McpMessage } from './message.js';

/** From this revision on the headers are required. Dates compare as text; a draft's name is later than all of them. */
const HEADERS_REQUIRED_SINCE = '2026-07-28';
/** The methods for which that revision requires `Mcp-Name`. */
const NAMED_METHODS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);
/** How a value travels that is no plain ASCII. */
const BASE64_FORM = /^=\?base64\?(.*)\?=$/s;

export const METHOD_HEADER = 'mcp-method';
export const NAME_HEADER = 'mcp-name';
export const VERSION_HEADER = 'mcp-protocol-version';
/** The headers that say again what stands in the body. */
export const MCP_HEADERS: readonly string[] = [METHOD_HEADER, NAME_HEADER, VERSION_HEADER];

/** What ping-auth itself tells the policy about a call. Policies rely on it, so no client may send it. */
export const DIGEST_HEADER = 'mcp-arguments-digest';
export const APPROVAL_HEADER = 'mcp-approval-response';
export const GATEWAY_HEADERS: readonly string[] = [DIGEST_HEADER, APPROVAL_HEADER];

/** Of a JSON-RPC message that we put in the place of something else. */
export const JSON_HEADERS: HeaderChanges = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
};

/**
 * What the headers say otherwise than the message, in words for the client; undefined when they agree. Each may occur
 * once at most, and not in a spelling that some servers take for it (`mcp_name`).
 */
export function disagreement(message: McpMessage, headers: HeaderList): string | undefined {
  const repeated = repeatedHeader(headers);
  if (repeated !== undefined) return repeated;
  const { method, name, protocolVersion } = message;
  const version = headers.get(VERSION_HEADER);
  const isRequired = message.kind === 'request' && requiresHeaders(version ?? protocolVersion);
  if (version === undefined) {
    if (isRequired) return 'MCP-Protocol-Version is missing';
  } else {
    if (!/^[\x21-\x7e]+$/.test(version)) return 'MCP-Protocol-Version is not a version';
    // Messages of earlier revisions do not say their version, notifications need not.
    if (protocolVersion === undefined ? isRequired : protocolVersion !== version)
      return 'MCP-Protocol-Version is not the version in the body';
  }
  const methodSaid = headers.get(METHOD_HEADER);
  if (methodSaid === undefined) {
    if (isRequired) return 'Mcp-Method is missing';
  } else if (methodSaid !== method) return 'Mcp-Method is not the method in the body';

  const nameSaid = headers.get(NAME_HEADER);
  if (nameSaid === undefined)
    return isRequired && NAMED_METHODS.has(method) ? 'Mcp-Name is missing' : undefined;
  if (name === undefined) return `Mcp-Name says something that ${method} has not in its body`;
  return decodeValue(nameSaid) === name ? undefined : 'Mcp-Name is not the name in the body';
}

/** For requests without a message: a header that speaks of one would have the policy decide about something else. */
export function unexpectedHeader(headers: HeaderList): string | undefined {
  for (const name of [METHOD_HEADER, NAME_HEADER]) {
    if (headers.has(name)) return `${name} on a request without a message`;
  }
  return repeatedHeader(headers);
}

function repeatedHeader(headers: HeaderList): string | undefined {
  for (const name of MCP_HEADERS) if (headers.getAll(name).length > 1) return `${name} occurs twice`;
  for (const name of headers.names()) {
    if (name.includes('_') && MCP_HEADERS.includes(canonicalName(name)))
      return `a header is nearly called ${canonicalName(name)}`;
  }
  return undefined;
}

/** A header of ping-auth's own on a request, in words for the client. */
export function reservedHeader(headers: HeaderList): string | undefined {
  const found = GATEWAY_HEADERS.find((name) => headers.names().map(canonicalName).includes(name));
  return found === undefined ? undefined : `${found} is not for clients to send`;
}

/** Whether a revision has clients repeat the message in headers. */
export function requiresHeaders(version: string | undefined): boolean {
  return version !== undefined && version >= HEADERS_REQUIRED_SINCE;
}

/**
 * The headers that the policy is shown: `mcp-method` and `mcp-name` always say what the body says, in one spelling for
 * each name, whether the client sent them, sent them in another form, or did not send them.
 *
 * @param more what else the policy is told; undefined values are left out
 */
export function headersToShow(
  { method, name }: McpMessage,
  headers: HeaderList,
  more: Readonly<Record<string, string | undefined>>,
): HeaderList {
  const shown = { ...more, [METHOD_HEADER]: method, [NAME_HEADER]: name && encodeValue(name) };
  const changes = headerChanges();
  for (const [header, value] of Object.entries(shown))
    if (value !== undefined && value !== headers.get(header)) changes[header] = value;
  return headers.with(changes);
}

/** A name as it stands in a header: as it is, or in base64 when it is no plain ASCII, has blanks around it or looks like that form. */
export function encodeValue(name: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !BASE64_FORM.test(name);
  return isPlain ? name : `=?base64?${Buffer.from(name, 'utf8').toString('base64')}?=`;
}

/** The inverse; undefined for a value that is neither plain ASCII nor the one right base64 form of a text. */
export function decodeValue(value: string): string | undefined {
  const base64 = BASE64_FORM.exec(value)?.[1];
  if (base64 === undefined) return /^[\x20-\x7e\t]*$/.test(value) ? value : undefined;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? decodeUtf8(bytes) : undefined;
}

const CONTENT_TYPE =
  /^(application\/json|text\/event-stream)[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?;?$/i;

/**
 * What a body is said to be: only when no reader can take it for something else, with one Content-Type, and UTF-8 if a charset
 * is named. `content_type` is one, too, for who reads CGI variables.
 */
export function bodyType(headers: HeaderList): 'json' | 'stream' | undefined {
  const [type = '', ...others] = headers.getAll('content-type');
  if (others.length > 0 || headers.has('content_type')) return undefined;
  const media = CONTENT_TYPE.exec(type)?.[1]?.toLowerCase();
  return media === undefined ? undefined : media === 'application/json' ? 'json' : 'stream';
}
