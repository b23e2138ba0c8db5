/** What the process that runs the plugin can do. A host that passes nothing is the stock kong-js-pluginserver. */
export interface PluginHost {
  readonly kind: string;
  /** The phases that it runs; undefined: all. Without the response phase Kong passes responses on as they come. */
  readonly phases?: readonly string[];
}

export const STOCK_HOST: PluginHost = { kind: 'kong-js-pluginserver' };

/** Second argument of a phase; the stock host passes none. It tells when Kong gave the event up, or its time was up. */
export interface PhaseEvent {
  /** The decision is no longer needed. */
  readonly over?: boolean;
  /** One listener at a time; called once when the event is over, at once if it already is. undefined takes it away. */
  onOver?(listener: (() => void) | undefined): void;
  /**
   * Asks the host to drop the instance, so that Kong starts it again with its present configuration and repeats the event. true: it
   * does, and the phase has nothing more to do. The host bounds how often, since Kong would do it thousands of times.
   */
  requestRestart?(): Promise<boolean>;
}
