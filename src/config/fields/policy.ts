import * as z from 'zod';
import { choice, type Field, flag } from '../field.js';

const ERROR_STATUS =
  'must be a status from 400 to 599, but not 444 or 499 (Kong closes the connection on these)';

/** What becomes of a request when no decision can be had. */
export const POLICY_FIELDS = {
  mode: choice({
    description:
      'enforce: the decision is carried out. monitor: the policy provider is called and the decision is logged and counted, but nothing is refused or changed, so nothing is protected.',
    values: ['enforce', 'monitor'],
    default: 'enforce',
  }),
  fail_open_request: flag({
    description:
      'Whether a request passes unchecked when the policy provider is unreachable: no byte of the call could be sent (DNS failure, connection refused or not established in time), or the circuit breaker is open because of that. Everything else is refused, see fail_open_scope. The request carries X-Ping-Auth: fail-open to the upstream.',
    default: false,
  }),
  fail_open_response: flag({
    description:
      'Whether a response passes unfiltered when the policy provider, after it permitted the request, is unreachable: under the same conditions as fail_open_request.',
    default: false,
  }),
  fail_open_scope: choice({
    description:
      'When fail_open_request and fail_open_response apply. unreachable: only when no byte of the call could be sent. unavailable: also when a provider that was reached gives no answer in time, loses the connection or answers with status 5xx. With unavailable, a client that can make the provider slow or fail can get its requests past the policy.',
    values: ['unreachable', 'unavailable'],
    default: 'unreachable',
  }),
  error_status: {
    zod: z
      .number({ error: ERROR_STATUS })
      .refine(
        (value) => Number.isInteger(value) && value >= 400 && value <= 599 && value !== 444 && value !== 499,
        {
          error: ERROR_STATUS,
        },
      )
      .default(502),
    kong: {
      type: 'integer',
      between: [400, 599],
      not_one_of: [444, 499],
      default: 502,
      description:
        'HTTP status that a client gets when the decision could not be obtained from the policy provider (where the documentation says 502).',
    },
  } as const satisfies Field,
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
} as const;
