import { choice, flag, optionalText, optionalWholeNumber, textList } from '../field.js';
import { normalizedOrigin, originProblem, resourceMetadataUrlProblem } from '../mcp-formats.js';

/** Longer than a day means: until the server says that something changed. */
const DAY_MS = 86_400_000;

/** For routes that lead to an MCP server. */
export const MCP_FIELDS = {
  mcp: flag({
    description:
      'Whether the route leads to an MCP server (Model Context Protocol over HTTP).\n\nping-auth then reads messages strictly, always shows the policy `mcp-method` and `mcp-name`, shows event streams as JSON, and turns denials into JSON-RPC errors.',
    default: false,
  }),
  mcp_denials: choice({
    description:
      'What a client gets when the policy denies an MCP message.\n\n**json_rpc**: a JSON-RPC error that an agent understands, except where clients need the HTTP response (401, `WWW-Authenticate`, redirects).\n\n**http**: the response of the policy.',
    values: ['json_rpc', 'http'],
    default: 'json_rpc',
  }),
  mcp_allowed_origins: textList({
    description:
      "Origins of web pages that may call the MCP server, such as `https://app.example.com`; `*` in the host's first label stands for any text without a dot.\n\nA request with another Origin header gets 403 before the policy is asked.\n\nEmpty: the policy decides about such requests as about all others.",
    check: originProblem,
    element: {
      match_all: [
        {
          pattern: '^%a[%w+.-]*://[^/%s@?#]+$',
          err: 'must be scheme://host or scheme://host:port, nothing more',
        },
      ],
    },
    len_max: 100,
    prepare: normalizedOrigin,
  }),
  mcp_max_ttl_ms: optionalWholeNumber({
    description:
      'Longest time in milliseconds for which a client may cache a list or resource of the MCP server (`ttlMs` in the result).\n\n0: not at all. Empty: as long as the server says.\n\nIn any case, no result is cached for anybody but the caller.',
    unit: 'milliseconds',
    min: 0,
    max: DAY_MS,
  }),
  mcp_resource_metadata_url: optionalText({
    description:
      'URL of the protected resource metadata (RFC 9728) of the MCP server. ping-auth adds it to the `WWW-Authenticate: Bearer` of a 401 or 403 that does not name one, so that clients find the authorization server.',
    check: resourceMetadataUrlProblem,
    match_all: [
      { pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]', err: 'must start with https:// and a host name' },
    ],
    match_none: [{ pattern: '[%s%c"\\\\]', err: 'must not contain spaces, quotes or backslashes' }],
  }),
} as const;
