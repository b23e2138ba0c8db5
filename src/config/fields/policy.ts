import * as z from 'zod';
import { choice, type Field, flag } from '../field.js';

const ERROR_STATUS =
  'must be a status from 400 to 599, but not 444 or 499 (Kong closes the connection on these)';

/** What becomes of a request when no decision can be had. */
export const POLICY_FIELDS = {
  mode: choice({
    description:
      '**enforce**: ping-auth carries out the decision.\n\n**monitor**: ping-auth asks the policy provider and logs and counts the decision, but refuses and changes nothing. Nothing is protected.',
    values: ['enforce', 'monitor'],
    default: 'enforce',
  }),
  fail_open_request: flag({
    description:
      'Whether a request passes unchecked when the policy provider is unreachable: no byte of the call could be sent (DNS failure, connection refused or not established in time), or the circuit breaker is open because of that. It carries `X-Ping-Auth: fail-open` to the upstream.\n\nEverything else is refused; see `fail_open_scope`.',
    default: false,
  }),
  fail_open_response: flag({
    description:
      'Whether a response passes unfiltered when the policy provider is unreachable after it allowed the request, under the same conditions as `fail_open_request`.',
    default: false,
  }),
  fail_open_scope: choice({
    description:
      'When `fail_open_request` and `fail_open_response` apply.\n\n**unreachable**: only if no byte of the call could be sent to the policy provider.\n\n**unavailable**: also if a policy provider that was reached gives no answer in time, loses the connection or answers with status 5xx. A client that can make the policy provider slow or fail can then get its requests past the policy.',
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
        'HTTP status for the client when ping-auth gets no decision from the policy provider (where the documentation says 502).\n\nFrom 400 to 599, but not 444 or 499; empty: 502.',
    },
  } as const satisfies Field,
} as const;
