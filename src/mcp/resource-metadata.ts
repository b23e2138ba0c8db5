import { type HeaderField, HeaderList } from '../http/headers.js';

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
  if (challenges.length === 0) {
    return status === 401 ? HeaderList.from([...headers, [CHALLENGE, `Bearer ${parameter}`]]) : headers;
  }
  const bare = challenges.map(blanked);
  if (bare.some((challenge) => HAS_METADATA.test(challenge))) return headers;
  const at = bare.findIndex((challenge) => BEARER.test(challenge));
  const challenge = challenges[at];
  if (challenge === undefined) return headers;
  const [match = '', comma = '', scheme = ''] = BEARER.exec(bare[at] ?? '') ?? [];
  const start = (bare[at] ?? '').search(BEARER);
  const rest = challenge.slice(start + match.length);
  const separator = /^[ \t]*(?:,|$)/.test(rest) ? '' : ',';
  const extended = `${challenge.slice(0, start)}${comma}${scheme} ${parameter}${separator}${rest}`;
  let index = -1;
  return HeaderList.from(
    [...headers].map(([name, value]): HeaderField => {
      if (name === CHALLENGE) index += 1;
      return name === CHALLENGE && index === at ? [name, extended] : [name, value];
    }),
  );
}

/** With blanks in the place of what stands in quotes: a realm may have `, Bearer ` in it. */
function blanked(value: string): string {
  return value.replaceAll(QUOTED, (quoted) => '_'.repeat(quoted.length));
}
