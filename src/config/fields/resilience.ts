import { referenceable, textList, wholeNumber } from '../field.js';
import { referenceProblem, SERVICE_URL_PATTERNS, serviceUrlProblem } from '../formats.js';

/** What happens when the policy provider is slow, down or overloaded. */
export const RESILIENCE_FIELDS = {
  failover_service_urls: textList({
    description:
      'URLs of further policy providers, in order, written like `service_url`. They use the same secret and TLS settings.\n\nThe next one is called only if no byte of an answer arrived: not reached, TLS failed, or connection lost before the answer.',
    check: (value) => referenceProblem(value) ?? serviceUrlProblem(value),
    element: { ...SERVICE_URL_PATTERNS, ...referenceable(SERVICE_URL_PATTERNS.match_none) },
    len_max: 8,
  }),
  failover_retry_ms: wholeNumber({
    description:
      'How many milliseconds a policy provider that gave no answer is ejected: ping-auth calls the others first. After that, a single request probes it.',
    unit: 'milliseconds',
    min: 100,
    max: 3_600_000,
    default: 30_000,
  }),
  circuit_failures: wholeNumber({
    description:
      'How many consecutive failures (no connection, connection lost, no answer in time, status 5xx) open the circuit breaker: ping-auth then does not call the policy provider for `circuit_open_ms`.\n\n0: never. A failure does not count if another call succeeded in the meantime. On an API with hardly any other traffic, a client that can make the policy provider slow or fail can open the circuit breaker for everybody.',
    min: 0,
    max: 10_000,
    default: 0,
  }),
  circuit_open_ms: wholeNumber({
    description:
      'How many milliseconds ping-auth refuses requests with 503 at once after `circuit_failures` failures. After that, a single request probes the policy provider.',
    unit: 'milliseconds',
    min: 100,
    max: 600_000,
    default: 10_000,
  }),
  connections: wholeNumber({
    description:
      'Largest number of connections to one policy provider, for each worker process of the plugin server. A connection carries one call at a time.',
    min: 1,
    max: 4096,
    default: 64,
  }),
  max_queued_calls: wholeNumber({
    description:
      'How many calls may wait for a free connection to one policy provider. ping-auth answers any further request with 503 at once.',
    min: 0,
    max: 100_000,
    default: 1024,
  }),
} as const;
