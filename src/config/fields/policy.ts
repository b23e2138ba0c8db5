import * as z from 'zod';
import { choice, type Field, flag } from '../field.js';

const ERROR_STATUS =
  'must be a status from 400 to 599, but not 444 or 499 (Kong closes the connection on these)';

/** What becomes of a request when no decision can be had. */
export const POLICY_FIELDS = {
  mode: choice({
    description:
      'enforce: the decision is carried out. monitor: the policy provider is asked and the decision is logged and counted, but nothing is refused or changed, so nothing is protected.',
    values: ['enforce', 'monitor'],
    default: 'enforce',
  }),
  fail_open_request: flag({
    description:
      'Whether a request passes unchecked when the policy provider is unreachable or failing. What ping-auth or Kong refuses never passes; but a request that makes the provider itself fail (5xx, no answer in time) would. It carries X-Ping-Auth: fail-open to the upstream.',
    default: false,
  }),
  fail_open_response: flag({
    description:
      'Whether a response passes unfiltered when the policy provider is unreachable or failing after it permitted the request.',
    default: false,
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
} as const;
