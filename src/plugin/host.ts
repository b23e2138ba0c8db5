/** What the process that runs the plugin can do. A host that passes nothing is the stock kong-js-pluginserver. */
export interface PluginHost {
  readonly kind: string;
  /** The phases that it runs; undefined: all. Without the response phase Kong passes responses on as they come. */
  readonly phases?: readonly string[];
}

export const STOCK_HOST: PluginHost = { kind: 'kong-js-pluginserver' };

/** Thrown by a phase; the host drops the instance, and Kong runs the event again with the configuration of this moment. */
export class RestartInstance extends Error {
  override readonly name = 'RestartInstance';
  readonly restartInstance = true;
}

/** Second argument of a phase; the stock host passes none. It tells when Kong gave the event up, or its time was up. */
export interface PhaseEvent {
  /** Nobody waits for the decision any more. */
  readonly over?: boolean;
  /** One listener at a time; called once when the event is over, at once if it already is. undefined takes it away. */
  onOver?(listener: (() => void) | undefined): void;
  /** Whether RestartInstance would be granted now. The host bounds how often: Kong would do it thousands of times. */
  readonly restartAllowed?: boolean;
}
