import { textList, wholeNumber } from '../field.js';
import { SERVICE_URL_PATTERNS, serviceUrlProblem } from '../formats.js';

/** What happens when the policy provider is slow, down or overloaded. */
export const RESILIENCE_FIELDS = {
  failover_service_urls: textList({
    description:
      'Further policy providers, in order, with the same secret and TLS settings. The next one is asked only when no byte of an answer came: not reached, TLS failed, or connection lost before the answer.',
    check: serviceUrlProblem,
    element: { referenceable: true, ...SERVICE_URL_PATTERNS },
    len_max: 8,
  }),
  failover_retry_ms: wholeNumber({
    description:
      'Milliseconds for which a policy provider that could not be reached is left out, as long as there is another; then a single request probes it.',
    min: 100,
    max: 3_600_000,
    default: 30_000,
  }),
  circuit_failures: wholeNumber({
    description:
      'Number of consecutive failures (no connection, no answer in time, status 5xx) after which the policy provider is not asked for circuit_open_ms. 0 switches this off.',
    min: 0,
    max: 10_000,
    default: 0,
  }),
  circuit_open_ms: wholeNumber({
    description:
      'Milliseconds for which requests are answered with 503 at once after circuit_failures failures; then a single request probes the policy provider.',
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
