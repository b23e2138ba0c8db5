/** A plugin written for kong-pdk (`Plugin`, `Name`, `Version`, `Priority`, `Schema` in one module). */
export interface PluginModule {
  readonly Name: string;
  /** x.y.z */
  readonly Version: string;
  readonly Priority: number;
  /** The fields of the configuration, each `{ name: attributes }`. */
  readonly Schema: readonly SchemaField[];
  /** Checks between the fields of the configuration, in Kong's own form. */
  readonly EntityChecks?: readonly unknown[];
  /** Built once for each instance; may throw when the configuration is unusable. Its methods are the phases. */
  readonly Plugin: new (
    config: never,
    host?: HostInfo,
  ) => object;
}

/** What Kong has to know before a plugin's first request; a module without its class, quick to load. */
export interface PluginManifest extends Omit<PluginModule, 'Plugin'> {
  readonly Phases: readonly string[];
}

export type SchemaField = Readonly<Record<string, unknown>>;

/** Second argument of a plugin's constructor: tells it that it runs in this server and not in the stock one. */
export interface HostInfo {
  readonly kind: 'ping-auth-pluginserver';
  /** The phases that are run; undefined: all that the plugin has. */
  readonly phases?: readonly string[];
  /** Events have `requestRestart`. */
  readonly restartsInstances: true;
}

export const HOST: HostInfo = Object.freeze({ kind: 'ping-auth-pluginserver', restartsInstances: true });

/** Second argument of a phase. */
export interface PhaseEvent {
  /** Aborted when the event is over before the phase ended: Kong closed the connection, or the event's time was up. */
  readonly signal: AbortSignal;
  /** The same as a plain question, for those who need no signal. */
  readonly over: boolean;
  /** Sets who is told, once, when the event is over before the phase ended; at once if it is over already. One slot. */
  onOver(listener: (() => void) | undefined): void;
  /**
   * Asks the server to drop the instance and to close the connection without an answer: Kong starts the instance again, with the
   * configuration of that moment, and repeats the event. true: that happens, and nothing that the phase still does has any effect.
   * Granted once for an instance, and not within 30 s of the last time for the same configuration.
   */
  requestRestart(): Promise<boolean>;
}

export type Phase = (kong: unknown, event: PhaseEvent) => unknown;

/** Phases that Kong offers to external plugins. */
const PHASES = ['certificate', 'rewrite', 'access', 'response', 'preread', 'log'] as const;

/** The phases that a plugin's class has methods for. */
export function phasesOf(plugin: PluginModule | PluginManifest): readonly string[] {
  if ('Phases' in plugin) return plugin.Phases;
  return PHASES.filter((phase) => typeof Reflect.get(plugin.Plugin.prototype, phase) === 'function');
}

/** The event is over (Kong closed the connection, an exit was sent, or its time was up): no call goes out any more. */
export class EventOverError extends Error {
  override readonly name = 'EventOverError';
  readonly code = 'ERR_EVENT_OVER';
}

export type BodyErrorCode =
  /** Kong named a file that is none of nginx's body files, or that is not this user's: see `body-file.ts`. */
  | 'ERR_BODY_PATH'
  /** The file with the body cannot be read. */
  | 'ERR_BODY_FILE';

export type PdkCallErrorCode =
  | BodyErrorCode
  /** Kong offers no such method to external plugins. */
  | 'ERR_PDK_METHOD'
  /** The arguments do not fit the method. */
  | 'ERR_PDK_ARGUMENTS'
  /** Kong's reply is no message of the expected kind. */
  | 'ERR_PDK_REPLY'
  /** Kong's reply is larger than a frame may be; its bytes were dropped. */
  | 'ERR_REPLY_TOO_LARGE'
  /** Too many messages are in progress for a reply or a body file of that size; it was not read. */
  | 'ERR_NO_MEMORY'
  /** Too many events wait for a request body, and this body did not come at once. */
  | 'ERR_TOO_MANY_UPLOADS'
  /** The body is larger than the caller or the server allows. */
  | 'ERR_BODY_TOO_LARGE';

/** A PDK call that did not work. The connection stays usable, so the plugin can still answer with an exit. */
export class PdkCallError extends Error {
  override readonly name = 'PdkCallError';
  readonly code: PdkCallErrorCode;
  /** With ERR_BODY_TOO_LARGE: how many bytes the body has. */
  readonly bytes: number | undefined;

  constructor(code: PdkCallErrorCode, message: string, options?: ErrorOptions & { readonly bytes?: number }) {
    super(message, options);
    this.code = code;
    this.bytes = options?.bytes;
  }
}
