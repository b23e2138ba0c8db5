import type { ServerLogger } from './logger.js';
import { HOST, type Phase, type PluginModule } from './plugin-module.js';

/** A plugin configuration that Kong started, as all processes know it. */
export interface InstanceRecord {
  readonly id: number;
  /** The plugin's name. */
  readonly name: string;
  /** JSON text as Kong sent it: may hold secrets, never logged. */
  readonly config: string;
  /** Seconds since 1970. */
  readonly startedAt: number;
}

/** A started configuration with the plugin object that serves it. */
export class Instance {
  readonly record: InstanceRecord;
  /** undefined when the plugin's constructor threw: every event of the instance is refused then. */
  readonly #plugin: object | undefined;
  readonly #logger: ServerLogger;
  #events = 0;
  #closed = false;

  /** Never throws: what is wrong with the configuration is logged once, here. */
  constructor(record: InstanceRecord, module: PluginModule, logger: ServerLogger) {
    this.record = record;
    this.#logger = logger;
    this.#plugin = construct(record, module, logger);
  }

  get failed(): boolean {
    return this.#plugin === undefined;
  }

  phase(name: string): Phase | undefined {
    if (this.#plugin === undefined) return undefined;
    const method: unknown = Reflect.get(this.#plugin, name);
    return typeof method === 'function' ? method.bind(this.#plugin) : undefined;
  }

  eventBegins(): void {
    this.#events++;
  }

  eventEnds(): void {
    this.#events--;
    if (this.#closed && this.#events === 0) this.#closePlugin();
  }

  /** Kong or the server needs it no more. A plugin with a `close` method is told when its last event is over. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#events === 0) this.#closePlugin();
  }

  #closePlugin(): void {
    const plugin = this.#plugin;
    if (plugin === undefined) return;
    const close: unknown = Reflect.get(plugin, 'close');
    if (typeof close !== 'function') return;
    const fail = (err: unknown): void =>
      this.#logger.warn(
        { event: 'instance_close_failed', plugin: this.record.name, err },
        'plugin did not close',
      );
    try {
      Promise.resolve(close.call(plugin)).catch(fail);
    } catch (err) {
      fail(err);
    }
  }
}

function construct(record: InstanceRecord, module: PluginModule, logger: ServerLogger): object | undefined {
  const { id, name } = record;
  try {
    const config: unknown = JSON.parse(record.config === '' ? '{}' : record.config);
    // Whether the configuration is what the plugin wants is for its constructor to find out.
    const plugin = new module.Plugin(config as never, HOST);
    logger.debug({ event: 'instance_started', plugin: name, instance: id }, 'instance started');
    return plugin;
  } catch (err) {
    // A syntax error quotes the text it could not read, and that may be a secret.
    const shown = err instanceof SyntaxError ? undefined : err;
    logger.error(
      { event: 'instance_failed', plugin: name, instance: id, err: shown },
      'instance could not be started: every request of this configuration is refused',
    );
    return undefined;
  }
}
