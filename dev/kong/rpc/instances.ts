import type { PluginConfig } from '../config/entities.js';
import { instanceConfig, pluginKey } from '../config/plugin-schema.js';
import type { PluginClient, PluginInfo } from './plugin-client.js';

interface Instance {
  readonly sequence: number;
  readonly id: Promise<number>;
}

/** A plugin configuration with the sequence number Kong gave it when it was loaded. */
export interface LoadedPlugin {
  readonly plugin: PluginConfig;
  readonly info: PluginInfo;
  readonly sequence: number;
}

/** The instance ids that one worker keeps: started at the first request, one for every configuration. */
export class InstanceCache {
  readonly #instances = new Map<string, Instance>();

  constructor(private readonly client: PluginClient) {}

  /** @throws RpcError when the instance cannot be started. */
  async id({ plugin, info, sequence }: LoadedPlugin): Promise<number> {
    const key = pluginKey(plugin);
    const known = this.#instances.get(key);
    if (known?.sequence === sequence) return known.id;
    const id = this.client.startInstance(plugin.name, instanceConfig(info.schema, plugin, sequence));
    const instance: Instance = { sequence, id };
    this.#instances.set(key, instance);
    try {
      await id;
    } catch (error) {
      if (this.#instances.get(key) === instance) this.#instances.delete(key);
      throw error;
    }
    // The configuration was loaded anew: the instance of the old one goes.
    known?.id.then((old) => this.client.closeInstance(old)).catch(() => undefined);
    return id;
  }

  /** Kong forgets every instance of the plugin. */
  reset(): void {
    this.#instances.clear();
  }
}
