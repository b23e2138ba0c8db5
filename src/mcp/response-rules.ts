import { type HeaderChanges, type HeaderList, headerChanges, oneOrMany } from '../http/headers.js';
import { type JsonMember, jsonMembers } from '../http/json-members.js';
import { listItems, parseJson } from '../http/text.js';

/** What the configuration of a route says about all of its responses. */
export interface ResponseRules {
  /** `mcp_max_ttl_ms`. */
  readonly maxTtlMs: number | undefined;
  /** `mcp_resource_metadata_url`. */
  readonly resourceMetadataUrl: string | undefined;
}

/** A response as the policy left it. */
export interface LeftResponse {
  readonly status: number;
  readonly headers: HeaderList;
  /** undefined when it is not shown as text. */
  readonly text: string | undefined;
}

/** What else has to change; empty for most responses but for Cache-Control. */
export interface RuledResponse {
  readonly headers: HeaderChanges;
  /** undefined: the body stays. */
  readonly text: string | undefined;
}

/** With one of them a response to POST may be stored. */
const CACHE_HEADERS = ['cache-control', 'expires', 'surrogate-control', 'cdn-cache-control'];

/**
 * What holds for every response on a route to an MCP server, whatever the policy made of it: no cache stores it for others, and
 * a challenge says where the metadata is.
 *
 * A response to `tools/call` gets Cache-Control only if it has some header about caching: without one no cache may store a response to
 * POST (RFC 9110, section 9.3.3), and a header more costs a round trip to Kong for each call.
 *
 * @param method of the message that it answers; undefined for DELETE and OPTIONS, which carry none
 */
export function ruledResponse(
  { status, headers, text }: LeftResponse,
  method: string | undefined,
  { maxTtlMs, resourceMetadataUrl }: ResponseRules,
): RuledResponse {
  const changes = headerChanges();
  const isToMessage = method !== undefined;
  const mayBeStored = method !== 'tools/call' || CACHE_HEADERS.some((name) => headers.has(name));
  const cacheControl = isToMessage && mayBeStored ? privateCacheControl(headers) : undefined;
  if (cacheControl !== undefined) changes['cache-control'] = cacheControl;
  if (resourceMetadataUrl !== undefined) {
    const challenged = withResourceMetadata(status, headers, resourceMetadataUrl);
    if (challenged !== headers) changes[CHALLENGE] = oneOrMany(challenged.getAll(CHALLENGE));
  }
  const ruled = isToMessage && text !== undefined ? privateResult(text, maxTtlMs) : text;
  return { headers: changes, text: ruled === text ? undefined : ruled };
}

/** The members are there in one spelling or the other; nearly all results have none, and are not looked through. */
const MAY_HAVE_HINTS = /cacheScope|ttlMs|\\u/;

/**
 * A response whose result is not shared: where it says how long it may be cached (`ttlMs`) or by whom (`cacheScope`), the
 * scope is private and the time at most `maxTtlMs`. What a policy let pass for one caller another one may not see, also when
 * the policy changed nothing. All other text stays verbatim.
 *
 * @param text of a JSON-RPC response
 * @param maxTtlMs undefined: as long as the server says
 */
export function privateResult(text: string, maxTtlMs: number | undefined): string {
  if (!MAY_HAVE_HINTS.test(text) || parseJson(text) === undefined) return text;
  const edits: Edit[] = [];
  for (const { name, valueStart } of jsonMembers(text)) {
    if (name === 'result' && text[valueStart] === '{') edits.push(...editsOf(text, valueStart, maxTtlMs));
  }
  return edits.reduceRight((rest, { from, to, by }) => rest.slice(0, from) + by + rest.slice(to), text);
}

/** A replacement in a text; in order, and apart from one another. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly by: string;
}

function editsOf(text: string, result: number, maxTtlMs: number | undefined): Edit[] {
  const edits: Edit[] = [];
  let hasScope = false;
  let hasHints = false;
  for (const member of jsonMembers(text, result)) {
    const { name, valueStart: from, end: to } = member;
    if (name === 'cacheScope') {
      hasScope = true;
      if (memberValue(text, member) !== 'private') edits.push({ from, to, by: '"private"' });
    } else if (name === 'ttlMs') {
      hasHints = true;
      const ttl = memberValue(text, member);
      // What is no number may be one to a generous reader.
      const isWithin = typeof ttl === 'number' && ttl <= (maxTtlMs ?? ttl);
      if (!isWithin && maxTtlMs !== undefined) edits.push({ from, to, by: String(maxTtlMs) });
    }
  }
  // Behind the opening brace, so before all the others.
  if (hasHints && !hasScope)
    edits.unshift({ from: result + 1, to: result + 1, by: '"cacheScope":"private",' });
  return edits;
}

function memberValue(text: string, { valueStart, end }: JsonMember): unknown {
  return parseJson(text.slice(valueStart, end));
}

/** What to put in the place of a response's Cache-Control; undefined when it forbids to store the response already. */
export function privateCacheControl(headers: HeaderList): string | undefined {
  return listItems(headers.getAll('cache-control')).includes('no-store') ? undefined : 'no-store';
}

const CHALLENGE = 'www-authenticate';
/** `Bearer` where a challenge starts: at the front or behind a comma. */
const BEARER = /(^|,)([ \t]*bearer)(?=[ \t]*(?:,|$)|[ \t]+[^=,\s]+[ \t]*=[ \t]*[^=,\s])/i;
const HAS_METADATA = /(?:^|[\s,])resource_metadata[ \t]*=/i;
const QUOTED = /"(?:[^"\\]|\\.)*"?/g;

/**
 * The headers of a 401 or 403 that tells MCP clients where the protected resource metadata is (RFC 9728): `resource_metadata`
 * in its Bearer challenge, unless one is there. A 401 without any challenge gets one; a 403 does not, since clients would take
 * it for a wish for other scopes.
 *
 * @param url of `mcp_resource_metadata_url`: without quotes and backslashes
 * @returns the same headers where nothing is to be added
 */
export function withResourceMetadata(status: number, headers: HeaderList, url: string): HeaderList {
  if (status !== 401 && status !== 403) return headers;
  const challenges = headers.getAll(CHALLENGE);
  const parameter = `resource_metadata="${url}"`;
  if (challenges.length === 0)
    return status === 401 ? headers.with({ [CHALLENGE]: `Bearer ${parameter}` }) : headers;
  const bare = challenges.map(blanked);
  if (bare.some((challenge) => HAS_METADATA.test(challenge))) return headers;
  const at = bare.findIndex((challenge) => BEARER.test(challenge));
  const [challenge, match] = [challenges[at], BEARER.exec(bare[at] ?? '')];
  if (challenge === undefined || match === null) return headers;
  const [found, comma, scheme] = match;
  const rest = challenge.slice(match.index + found.length);
  const separator = /^[ \t]*(?:,|$)/.test(rest) ? '' : ',';
  const extended = `${challenge.slice(0, match.index)}${comma}${scheme} ${parameter}${separator}${rest}`;
  return headers.with({ [CHALLENGE]: challenges.map((other, index) => (index === at ? extended : other)) });
}

/** With blanks in the place of what stands in quotes: a realm may have `, Bearer ` in it. */
function blanked(value: string): string {
  return value.replaceAll(QUOTED, (quoted) => '_'.repeat(quoted.length));
}
