import { choice, flag, optionalText, optionalWholeNumber, textList } from '../field.js';
import { isLoopback } from '../formats.js';

/** Longer than a day means: until the server says that something changed. */
const DAY_MS = 86_400_000;

/** RFC 6454, with `*` in the first label of the host; an IPv6 address in brackets is a host, too. */
const ORIGIN =
  /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|(?:[a-z0-9-]*\*?[a-z0-9-]*)(?:\.[a-z0-9-]+)*)(?::[1-9]\d{0,4})?$/i;

/** For routes that lead to an MCP server. */
export const MCP_FIELDS = {
  mcp: flag(
    'Whether the route leads to an MCP server (Model Context Protocol over HTTP).\n\nping-auth then reads messages strictly, always shows the policy `mcp-method` and `mcp-name`, shows event streams as JSON, and turns denials into JSON-RPC errors.',
    { default: false },
  ),
  mcp_denials: choice(
    'What a client gets when the policy denies an MCP message.\n\n**json_rpc**: a JSON-RPC error that an agent understands, except where clients need the HTTP response (401, `WWW-Authenticate`, redirects).\n\n**http**: the response of the policy.',
    ['json_rpc', 'http'],
  ),
  mcp_allowed_origins: textList(
    "Origins of web pages that may call the MCP server, such as `https://app.example.com`; `*` in the host's first label stands for any text without a dot.\n\nA request with another Origin header gets 403 before the policy is asked.\n\nEmpty: the policy decides about such requests as about all others.",
    {
      check: originProblem,
      prepare: normalizedOrigin,
      match_all: [
        {
          pattern: '^%a[%w+.-]*://[^/%s@?#]+$',
          err: 'must be scheme://host or scheme://host:port, nothing more',
        },
      ],
      len_max: 100,
    },
  ),
  mcp_max_ttl_ms: optionalWholeNumber(
    'Longest time in milliseconds for which a client may cache a list or resource of the MCP server (`ttlMs` in the result).\n\n0: not at all. Empty: as long as the server says.\n\nIn any case, no result is cached for anybody but the caller.',
    { unit: 'milliseconds', min: 0, max: DAY_MS },
  ),
  mcp_resource_metadata_url: optionalText(
    'URL of the protected resource metadata (RFC 9728) of the MCP server. ping-auth adds it to the `WWW-Authenticate: Bearer` of a 401 or 403 that does not name one, so that clients find the authorization server.',
    {
      check: resourceMetadataUrlProblem,
      match_all: [
        { pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]', err: 'must start with https:// and a host name' },
      ],
      match_none: [{ pattern: '[%s%c"\\\\]', err: 'must not contain spaces, quotes or backslashes' }],
    },
  ),
} as const;

/** What is wrong with an entry of `mcp_allowed_origins`. */
function originProblem(value: string): string | undefined {
  const shown = JSON.stringify(value.slice(0, 60));
  if (value === '*' || value.toLowerCase() === 'null')
    return `${shown} would let any web page in; list the origins`;
  if (!ORIGIN.test(value) || /:\/\/(?::|$)/.test(value)) {
    return `${shown} is not an origin; write it like https://app.example.com or https://*.example.com, without a path`;
  }
  const [, host = ''] = /:\/\/([^:]*)/.exec(value) ?? [];
  if (/^\*(?:\.[^.]+)?$/.test(host))
    return `${shown} would let nearly any web page in; name the domain behind the *`;
  return undefined;
}

/** As browsers write it: in lower case, without the scheme's default port. */
function normalizedOrigin(value: string): string {
  return value.toLowerCase().replace(/^(https:.*):443$|^(http:.*):80$/, '$1$2');
}

/** What is wrong with `mcp_resource_metadata_url`; clients get it in quotes in a header. */
function resourceMetadataUrlProblem(value: string): string | undefined {
  if (!/^[\x21-\x7e]*$/.test(value) || /["\\]/.test(value)) {
    return 'contains a space, quote, backslash or a character that is no plain ASCII; remove or escape it';
  }
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isHttps = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url === undefined || !isHttps || !/^https?:\/\/[^/]/i.test(value)) {
    return 'must be an https:// URL, such as https://gateway.example.com/.well-known/oauth-protected-resource/mcp';
  }
  if (url.username !== '' || url.password !== '' || value.includes('#')) {
    return 'contains credentials or a fragment; remove them';
  }
  return undefined;
}
