import * as z from 'zod';
import { choice, type Field, flag, textList, wholeNumber } from '../field.js';
import { SERVICE_URL } from '../formats.js';

const ERROR_STATUS =
  'must be a status from 400 to 599, but not 444 or 499 (Kong closes the connection on these)';

/** What becomes of a request when no decision can be had. */
export const POLICY_FIELDS = {
  mode: choice(
    '**enforce**: ping-auth carries out the decision.\n\n**monitor**: ping-auth asks the policy provider and logs and counts the decision, but refuses and changes nothing. Nothing is protected.',
    ['enforce', 'monitor'],
  ),
  fail_open_request: flag(
    'Whether a request passes unchecked when the policy provider is unreachable: no byte of the call could be sent (DNS failure, connection refused or not established in time), or the circuit breaker is open because of that. It carries `X-Ping-Auth: fail-open` to the upstream.\n\nEverything else is refused; see `fail_open_scope`.',
    { default: false },
  ),
  fail_open_response: flag(
    'Whether a response passes unfiltered when the policy provider is unreachable after it allowed the request, under the same conditions as `fail_open_request`.',
    { default: false },
  ),
  fail_open_scope: choice(
    'When `fail_open_request` and `fail_open_response` apply.\n\n**unreachable**: only if no byte of the call could be sent to the policy provider.\n\n**unavailable**: also if a policy provider that was reached gives no answer in time, loses the connection or answers with status 5xx. A client that can make the policy provider slow or fail can then get its requests past the policy.',
    ['unreachable', 'unavailable'],
  ),
  error_status: {
    zod: z
      .int({ error: ERROR_STATUS, abort: true })
      .min(400, { error: ERROR_STATUS })
      .max(599, { error: ERROR_STATUS })
      .refine((status) => status !== 444 && status !== 499, { error: ERROR_STATUS })
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

/** What happens when the policy provider is slow, down or overloaded. */
export const RESILIENCE_FIELDS = {
  failover_service_urls: textList(
    'URLs of further policy providers, in order, written like `service_url`. They use the same secret and TLS settings.\n\nThe next one is called only if no byte of an answer arrived: not reached, TLS failed, or connection lost before the answer.',
    { ...SERVICE_URL, isReferenceable: true, len_max: 8 },
  ),
  failover_retry_ms: wholeNumber(
    'How many milliseconds a policy provider that gave no answer is ejected: ping-auth calls the others first. After that, a single request probes it.',
    { unit: 'milliseconds', min: 100, max: 3_600_000, default: 30_000 },
  ),
  circuit_failures: wholeNumber(
    'How many consecutive failures (no connection, connection lost, no answer in time, status 5xx) open the circuit breaker: ping-auth then does not call the policy provider for `circuit_open_ms`.\n\n0: never. A failure does not count if another call succeeded in the meantime. On an API with hardly any other traffic, a client that can make the policy provider slow or fail can open the circuit breaker for everybody.',
    { min: 0, max: 10_000, default: 0 },
  ),
  circuit_open_ms: wholeNumber(
    'How many milliseconds ping-auth refuses requests with 503 at once after `circuit_failures` failures. After that, a single request probes the policy provider.',
    { unit: 'milliseconds', min: 100, max: 600_000, default: 10_000 },
  ),
  connections: wholeNumber(
    'Largest number of connections to one policy provider, for each worker process of the plugin server. A connection carries one call at a time.',
    { min: 1, max: 4096, default: 64 },
  ),
  max_queued_calls: wholeNumber(
    'How many calls may wait for a free connection to one policy provider. ping-auth answers any further request with 503 at once.',
    { min: 0, max: 100_000, default: 1024 },
  ),
} as const;
