import type { PluginConfig, Route } from '../config/declarative-config.js';
import { instanceConfig, pluginKey } from '../config/plugin-schema.js';
import type { KongLog } from '../kong-log.js';
import { PdkError } from '../pdk/lua-values.js';
import type { Phase, RequestContext } from '../request-context.js';
import { CLOSED, type PluginClient, type PluginInfo, RpcError } from '../rpc/plugin-client.js';
import { type BuiltInPlugin, builtInPlugin } from './ping-auth-guard.js';

/** A plugin entry ready to run: by its plugin server or, for Kong's own ones, here. */
export type RunnablePlugin =
  | { readonly kind: 'external'; readonly loaded: LoadedPlugin }
  | { readonly kind: 'built-in'; readonly plugin: BuiltInPlugin };

interface Entry {
  readonly config: PluginConfig;
  readonly run: RunnablePlugin;
}

/** The configured plugins: which of them apply to a route, in which order, and how each is run. */
export class PluginChain {
  #entries: readonly Entry[] = [];
  #sequence = 0;

  constructor(
    private readonly known: readonly PluginInfo[],
    /** By worker, then by the plugin's name. */
    private readonly runners: readonly ReadonlyMap<string, PluginRunner>[],
  ) {}

  /** Every plugin gets a new sequence number, so that its instances are restarted. @throws Error */
  configure(plugins: readonly PluginConfig[]): void {
    this.#entries = plugins
      .filter((plugin) => plugin.enabled)
      .map((plugin) => ({ config: plugin, run: this.#load(plugin) }));
  }

  /** The most specific configuration of each plugin, the highest priority first. */
  of(route: Route): RunnablePlugin[] {
    const chosen = new Map<string, Entry>();
    for (const entry of this.#entries) {
      const { routeId, serviceId, name } = entry.config;
      if (routeId !== undefined && routeId !== route.id) continue;
      if (serviceId !== undefined && serviceId !== route.service.id) continue;
      const other = chosen.get(name);
      if (other === undefined || rank(entry.config) > rank(other.config)) chosen.set(name, entry);
    }
    return [...chosen.values()].map(({ run }) => run).sort((a, b) => priority(b) - priority(a));
  }

  /**
   * Runs a phase of every plugin that has it.
   * @throws ExitSignal, PdkError, PluginServerDown
   */
  async run(plugins: readonly RunnablePlugin[], ctx: RequestContext, phase: Phase): Promise<void> {
    for (const plugin of plugins) {
      if (plugin.kind === 'built-in') {
        if (phase === 'access') plugin.plugin.access(ctx);
      } else if (hasPhase(plugin, phase)) {
        await this.#runner(ctx, plugin.loaded).run(plugin.loaded, ctx, phase);
      }
    }
  }

  #load(plugin: PluginConfig): RunnablePlugin {
    const info = this.known.find((known) => known.name === plugin.name);
    if (info !== undefined) return { kind: 'external', loaded: { plugin, info, sequence: ++this.#sequence } };
    const builtIn = builtInPlugin(plugin);
    if (builtIn === undefined) {
      throw new Error(`plugin "${plugin.name}" is neither served by a plugin server nor built in`);
    }
    return { kind: 'built-in', plugin: builtIn };
  }

  #runner(ctx: RequestContext, loaded: LoadedPlugin): PluginRunner {
    const runner = this.runners[ctx.connection.worker]?.get(loaded.plugin.name);
    if (runner === undefined) throw new Error(`no plugin server for ${loaded.plugin.name}`);
    return runner;
  }
}

export function hasPhase(plugin: RunnablePlugin, phase: Phase): boolean {
  return plugin.kind === 'external' && plugin.loaded.info.phases.includes(phase);
}

function rank({ routeId, serviceId }: PluginConfig): number {
  return (routeId === undefined ? 0 : 2) + (serviceId === undefined ? 0 : 1);
}

function priority(plugin: RunnablePlugin): number {
  return plugin.kind === 'external' ? plugin.loaded.info.priority : plugin.plugin.priority;
}

/** Kong's own 500 in place of what the plugin server should have said. */
export class PluginServerDown extends Error {
  override readonly name = 'PluginServerDown';
}

/** One plugin server as one worker uses it. */
export class PluginRunner {
  readonly #instances: InstanceCache;

  constructor(
    readonly client: PluginClient,
    private readonly protocol: 'pb' | 'mp',
    private readonly log: KongLog,
    private readonly maxRepeats: number,
  ) {
    this.#instances = new InstanceCache(client);
  }

  /**
   * Runs one phase of one plugin. A server that forgot the instance makes Kong start it again and run the event again,
   * a real Kong without limit.
   * @throws ExitSignal, PdkError, PluginServerDown
   */
  async run(loaded: LoadedPlugin, ctx: RequestContext, phase: Phase): Promise<void> {
    ctx.phase = phase;
    for (let attempt = 0; ; attempt++) {
      if (attempt > this.maxRepeats) {
        const message = `THE STAND-IN GAVE UP: event ${phase} of ${loaded.plugin.name} was run ${attempt} times`;
        this.log.write('alert', `${message}; a real Kong would continue without limit`, ctx.id);
        throw new PluginServerDown(message);
      }
      const id = await this.#instanceId(loaded, ctx);
      try {
        const plugin = loaded.plugin.name;
        await this.client.handleEvent(id, phase, { ctx, log: this.log, protocol: this.protocol, plugin });
        return;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (!this.#forgotten(error.message)) return this.#failed(error, ctx);
        this.log.write('warn', error.message, ctx.id);
        this.#instances.reset();
      }
    }
  }

  async #instanceId(loaded: LoadedPlugin, ctx: RequestContext): Promise<number> {
    try {
      return await this.#instances.id(loaded);
    } catch (error) {
      if (error instanceof RpcError) {
        this.log.write('error', `starting instance: ${error.message}`, ctx.id);
        throw new PdkError(error.message);
      }
      throw error;
    }
  }

  #forgotten(message: string): boolean {
    const text = message.toLowerCase();
    if (text.includes('no plugin instance')) return true;
    return this.protocol === 'pb' && text === CLOSED;
  }

  /** ProtoBuf:1 answers 500; MsgPack:1 only logs and fails open. */
  #failed(error: RpcError, ctx: RequestContext): void {
    this.log.write('error', error.message, ctx.id);
    if (this.protocol === 'pb') throw new PluginServerDown(error.message);
  }
}

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
    // The configuration was loaded again: the instance of the old one goes.
    known?.id.then((old) => this.client.closeInstance(old)).catch(() => undefined);
    return id;
  }

  /** Kong forgets every instance of the plugin. */
  reset(): void {
    this.#instances.clear();
  }
}
