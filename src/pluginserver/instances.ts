import type { InstanceRecord } from './instance-registry.js';
import type { ServerLogger } from './options.js';
import { HOST, type Phase, type PluginModule } from './plugin-module.js';

/** A started configuration with the plugin object that serves it. */
export class Instance {
  readonly record: InstanceRecord;
  /** undefined when the plugin's constructor threw: every event of the instance is refused then. */
  readonly #plugin: object | undefined;
  readonly #logger: ServerLogger;
  /** Those that Kong has asked for. */
  readonly #phases = new Map<string, Phase>();
  /** An event named it since {@link InstanceTable.takeUsed} was last asked. */
  isUsed = false;
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

  /** The plugin's method for a phase; undefined when it has none. */
  phase(name: string): Phase | undefined {
    const known = this.#phases.get(name);
    if (known !== undefined || this.#plugin === undefined) return known;
    const method: unknown = Reflect.get(this.#plugin, name);
    if (typeof method !== 'function') return undefined;
    const phase: Phase = method.bind(this.#plugin);
    this.#phases.set(name, phase);
    return phase;
  }

  eventBegins(): void {
    this.#events++;
  }

  eventEnds(): void {
    this.#events--;
    if (this.#closed && this.#events === 0) void this.#closePlugin();
  }

  /** Kong or the server needs it no more. A plugin with a `close` method is told when its last event is over. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#events === 0) void this.#closePlugin();
  }

  async #closePlugin(): Promise<void> {
    const plugin: { close?: unknown } = this.#plugin ?? {};
    try {
      if (typeof plugin.close === 'function') await plugin.close();
    } catch (err) {
      const fields = { event: 'instance_close_failed', plugin: this.record.name, err };
      this.#logger.warn(fields, 'plugin did not close');
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

/** The plugin objects of one process. */
export class InstanceTable {
  readonly #plugins: ReadonlyMap<string, PluginModule>;
  readonly #logger: ServerLogger;
  readonly #instances = new Map<number, Instance>();

  constructor(plugins: readonly PluginModule[], logger: ServerLogger) {
    this.#plugins = new Map(plugins.map((plugin) => [plugin.Name, plugin]));
    this.#logger = logger;
  }

  /** @throws Error when there is no such plugin. */
  pluginOf(name: string): PluginModule {
    const module = this.#plugins.get(name);
    if (module === undefined) throw new Error(`there is no plugin ${JSON.stringify(name)} here`);
    return module;
  }

  /** The instance that an event names. */
  use(id: number): Instance | undefined {
    const instance = this.#instances.get(id);
    if (instance !== undefined) instance.isUsed = true;
    return instance;
  }

  /** Ids of the instances that events named since the last call. */
  takeUsed(): number[] {
    const used = [...this.#instances.values()].filter((instance) => instance.isUsed);
    for (const instance of used) instance.isUsed = false;
    return used.map((instance) => instance.record.id);
  }

  /** Builds the plugin object of an instance, unless there is one. */
  add(record: InstanceRecord): void {
    if (this.#instances.has(record.id)) return;
    this.#instances.set(record.id, new Instance(record, this.pluginOf(record.name), this.#logger));
  }

  remove(id: number): void {
    const instance = this.#instances.get(id);
    this.#instances.delete(id);
    instance?.close();
  }
}
