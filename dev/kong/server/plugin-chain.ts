import type { PluginConfig, Route } from '../config/entities.js';
import type { Phase, RequestContext } from '../request-context.js';
import type { LoadedPlugin } from '../rpc/instances.js';
import type { PluginInfo } from '../rpc/plugin-client.js';
import { type BuiltInPlugin, builtInPlugin } from './built-in-plugins.js';
import type { PluginRunner } from './plugin-runner.js';

/** A plugin entry ready to run: by its plugin server or, for Kong's own ones, here. */
export type RunnablePlugin =
  | { readonly kind: 'external'; readonly loaded: LoadedPlugin }
  | { readonly kind: 'built-in'; readonly plugin: BuiltInPlugin };

/** A plugin is configured that neither a plugin server nor the stand-in has. */
export class UnknownPluginError extends Error {
  override readonly name = 'UnknownPluginError';
}

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

  /** Every plugin gets a new sequence number, so that its instances are started anew. @throws UnknownPluginError */
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
      throw new UnknownPluginError(
        `plugin "${plugin.name}" is neither served by a plugin server nor built in`,
      );
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
