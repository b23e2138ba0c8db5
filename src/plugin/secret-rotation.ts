import type { PingAuthError } from '../errors/ping-auth-error.js';
import { type PhaseEvent, RestartInstance } from './host.js';
import type { Instance } from './instance.js';

/**
 * Kong does not tell a plugin that a vault's secret has changed; it hands the present one over when it starts an instance.
 * So when the provider refuses the secret, the instance is given up, and Kong runs the event again with a fresh one. The
 * host allows that once in a while; otherwise the 401 is the usual refusal.
 *
 * @throws RestartInstance
 */
export function restartForFreshSecret(instance: Instance, error: PingAuthError, event: PhaseEvent): void {
  if (error.code !== 'provider_secret_refused' || event.restartAllowed !== true) return;
  const where = instance.routeId === undefined ? {} : { route: instance.routeId };
  instance.telemetry.notice(
    'warn',
    'the policy provider refused the secret; asking Kong for the present one',
    where,
  );
  throw new RestartInstance('the policy provider refused the secret');
}
