import { Instance, type InstanceRecord } from './instance.js';
import type { InstanceRegistry } from './instance-registry.js';
import type { ServerLogger } from './logger.js';
import type { PluginModule } from './plugin-module.js';

/** What a connection needs to know about instances; in a worker process the answers come from the parent. */
export interface InstanceDirectory {
  /** When it resolves, every process of the server knows the instance. @throws Error when there is no such plugin. */
  start(name: string, config: string): Promise<InstanceRecord>;
  /** The instance if this process has it at hand; marks it as used. */
  get(id: number): Instance | undefined;
  /** The instance if any process knows it. */
  find(id: number): Promise<Instance | undefined>;
  close(id: number): void;
  mayRestart(id: number): boolean;
  /** Drops the instance everywhere when its plugin may have it restarted. */
  claimRestart(id: number): Promise<boolean>;
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

  has(name: string): boolean {
    return this.#plugins.has(name);
  }

  get(id: number): Instance | undefined {
    return this.#instances.get(id);
  }

  /** Builds the plugin object of an instance, or returns the one there is. */
  add(record: InstanceRecord): Instance {
    const known = this.#instances.get(record.id);
    if (known !== undefined) return known;
    const module = this.#plugins.get(record.name);
    if (module === undefined) throw new Error(`there is no plugin ${JSON.stringify(record.name)} here`);
    const instance = new Instance(record, module, this.#logger);
    this.#instances.set(record.id, instance);
    return instance;
  }

  remove(id: number): void {
    const instance = this.#instances.get(id);
    this.#instances.delete(id);
    instance?.close();
  }
}

/** Instances of a server that is one process. */
export class LocalInstances implements InstanceDirectory {
  readonly #table: InstanceTable;
  readonly #registry: InstanceRegistry;

  constructor(table: InstanceTable, registry: InstanceRegistry) {
    this.#table = table;
    this.#registry = registry;
  }

  async start(name: string, config: string): Promise<InstanceRecord> {
    if (!this.#table.has(name)) throw new Error(`there is no plugin ${JSON.stringify(name)} here`);
    const record = this.#registry.create(name, config);
    this.#table.add(record);
    return record;
  }

  get(id: number): Instance | undefined {
    this.#registry.touch(id);
    return this.#table.get(id);
  }

  async find(id: number): Promise<Instance | undefined> {
    return this.get(id);
  }

  close(id: number): void {
    this.#registry.remove(id);
    this.#table.remove(id);
  }

  mayRestart(id: number): boolean {
    return this.#registry.mayRestart(id);
  }

  async claimRestart(id: number): Promise<boolean> {
    const granted = this.#registry.claimRestart(id);
    if (granted) this.#table.remove(id);
    return granted;
  }

  /** Drops what was not used for long; Kong does not say when it forgets an instance. */
  expire(): number {
    const ids = this.#registry.expire();
    for (const id of ids) this.#table.remove(id);
    return ids.length;
  }
}
