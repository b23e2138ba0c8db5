import { textList, wholeNumber } from '../field.js';
import { SERVICE_URL_PATTERNS, serviceUrlProblem } from '../formats.js';

/** What happens when the policy provider is slow, down or overloaded. */
export const RESILIENCE_FIELDS = {
  failover_service_urls: textList({
    description:
      'Further policy providers, in order, with the same secret and TLS settings. The next one is called only if no byte of an answer arrived: not reached, TLS failed, or connection lost before the answer.',
    check: serviceUrlProblem,
    element: { referenceable: true, ...SERVICE_URL_PATTERNS },
    len_max: 8,
  }),
  failover_retry_ms: wholeNumber({
    description:
      'Milliseconds for which a policy provider that gave no answer is ejected: the others are called first. After that a single request probes it.',
    min: 100,
    max: 3_600_000,
    default: 30_000,
  }),
  circuit_failures: wholeNumber({
    description:
      'Number of consecutive failures (no connection, connection lost, no answer in time, status 5xx) after which the circuit breaker opens: the policy provider is not called for circuit_open_ms. 0 switches it off. A client that can make the provider slow or fail can open it for all others, unless other calls succeed in between.',
    min: 0,
    max: 10_000,
    default: 0,
  }),
  circuit_open_ms: wholeNumber({
    description:
      'Milliseconds for which requests are refused with 503 at once after circuit_failures failures. After that a single request probes the policy provider.',
    min: 100,
    max: 600_000,
    default: 10_000,
  }),
  connections: wholeNumber({
    description:
      'Largest number of connections to one policy provider, per worker process of the plugin server. Every connection carries one call at a time.',
    min: 1,
    max: 4096,
    default: 64,
  }),
  max_queued_calls: wholeNumber({
    description:
      'How many calls may wait for a free connection to one policy provider. Any more are answered with 503 at once.',
    min: 0,
    max: 100_000,
    default: 1024,
  }),
} as const;
