import { choice, flag, optionalText, optionalWholeNumber, textList } from '../field.js';
import { normalizedOrigin, originProblem, resourceMetadataUrlProblem } from '../mcp-formats.js';

/** Longer than a day means: until the server says that something changed. */
const DAY_MS = 86_400_000;

/** For routes that lead to an MCP server. */
export const MCP_FIELDS = {
  mcp: flag({
    description:
      'Whether the route leads to an MCP server (Model Context Protocol over HTTP). Messages are read strictly, the policy always sees mcp-method and mcp-name, event streams are shown as JSON, and denials become JSON-RPC errors.',
    default: false,
  }),
  mcp_denials: choice({
    description:
      "What becomes of the policy's denial of an MCP message. json_rpc: a JSON-RPC error that an agent understands, except where HTTP matters to clients (401, WWW-Authenticate, redirects). http: as the policy said.",
    values: ['json_rpc', 'http'],
    default: 'json_rpc',
  }),
  mcp_allowed_origins: textList({
    description:
      "Origins of web pages that may call the MCP server, such as https://app.example.com; * in the host's first label stands for any text without a dot. A request with another Origin header gets 403 before the policy is asked. Empty: the policy decides about such requests as about all others.",
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
      'Longest time in milliseconds for which a client may cache a list or resource of the MCP server (ttlMs in the result); 0: not at all. Unset: as long as the server says. Whatever it is, no result is cached for anybody but the caller.',
    min: 0,
    max: DAY_MS,
  }),
  mcp_resource_metadata_url: optionalText({
    description:
      'URL of the protected resource metadata (RFC 9728) of the MCP server. It goes into the WWW-Authenticate: Bearer of a 401 or 403 that does not name one, so that clients find the authorization server.',
    check: resourceMetadataUrlProblem,
    match_all: [
      { pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]', err: 'must start with https:// and a host name' },
    ],
    match_none: [{ pattern: '[%s%c"\\\\]', err: 'must not contain spaces, quotes or backslashes' }],
  }),
} as const;
