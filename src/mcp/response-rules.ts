import { type HeaderField, HeaderList } from '../http/headers.js';
import { privateCacheControl, privateResult } from './caching.js';
import { withResourceMetadata } from './resource-metadata.js';

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
  /** All values of a header, `[]` without one. */
  readonly valuesOf: (name: string) => readonly string[];
  /** undefined when it is not shown as text. */
  readonly text: string | undefined;
}

/** What else has to change; empty for most responses but for Cache-Control. */
export interface RuledResponse {
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** undefined: the body stays. */
  readonly text: string | undefined;
}

/** With one of them a response to POST may be stored. */
const CACHE_HEADERS = ['cache-control', 'expires', 'surrogate-control', 'cdn-cache-control'];
const RULED_HEADERS = ['cache-control', 'www-authenticate'];

/**
 * What holds for every response on a route to an MCP server, whatever the policy made of it: nobody caches it for others, and
 * a challenge says where the metadata is.
 *
 * A response to `tools/call` gets Cache-Control only if it has some header about caching: without one nobody may store a response to
 * POST (RFC 9110, section 9.3.3), and a header more costs a round trip to Kong for each call.
 *
 * @param method of the message that it answers; undefined for DELETE and OPTIONS, which carry none
 */
export function ruledResponse(
  left: LeftResponse,
  method: string | undefined,
  rules: ResponseRules,
): RuledResponse {
  const fields = RULED_HEADERS.flatMap((name) =>
    left.valuesOf(name).map((value): HeaderField => [name, value]),
  );
  const headers = HeaderList.from(fields);
  const ruled = new Map<string, readonly string[]>();
  const isToMessage = method !== undefined;
  const mayBeStored = method !== 'tools/call' || CACHE_HEADERS.some((name) => left.valuesOf(name).length > 0);
  const cacheControl = isToMessage && mayBeStored ? privateCacheControl(headers) : undefined;
  if (cacheControl !== undefined) ruled.set('cache-control', [cacheControl]);
  if (rules.resourceMetadataUrl !== undefined) {
    const challenged = withResourceMetadata(left.status, headers, rules.resourceMetadataUrl);
    if (challenged !== headers) ruled.set('www-authenticate', challenged.getAll('www-authenticate'));
  }
  const text = isToMessage && left.text !== undefined ? privateResult(left.text, rules.maxTtlMs) : left.text;
  return { headers: ruled, text: text === left.text ? undefined : text };
}
