/** What the process that runs the plugin can do. A host that passes nothing is the stock kong-js-pluginserver. */
export interface PluginHost {
  readonly kind: string;
}

export const STOCK_HOST: PluginHost = { kind: 'kong-js-pluginserver' };

/** Thrown by a phase; the host drops the instance, and Kong runs the event again with the configuration of this moment. */
export class RestartInstance extends Error {
  override readonly name = 'RestartInstance';
  readonly restartInstance = true;
}

/** Second argument of a phase; the stock host passes none. */
export interface PhaseEvent {
  /** Aborted when the event is over before its phase is: Kong gave it up, or its time was up. */
  readonly signal?: AbortSignal;
  /** Whether RestartInstance would be granted now. The host bounds how often: Kong would do it thousands of times. */
  readonly restartAllowed?: boolean;
}
