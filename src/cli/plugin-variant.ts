import type { HostInfo, PluginManifest, PluginModule } from '../pluginserver/plugin-module.js';

export interface VariantOptions {
  /** The name under which Kong knows the plugin. */
  readonly name?: string | undefined;
  /** `access` leaves out the response phase, for which Kong would hold back every response until it is complete. */
  readonly phases?: 'access' | 'access,response' | undefined;
}

type Phase = (kong: unknown, event: unknown) => unknown;

/** The same plugin under another name, or with the access phase only. */
export function manifestVariant<M extends PluginManifest | PluginModule>(
  manifest: M,
  options: VariantOptions,
): M {
  const named = options.name === undefined ? manifest : { ...manifest, Name: options.name };
  if (options.phases !== 'access') return named;
  if (!('Plugin' in named)) return { ...named, Phases: ['access'] };
  return { ...named, Plugin: accessOnly(named.Plugin) };
}

/** Hosts look for phases among a class's methods, so leaving one out takes a class without it. */
function accessOnly(Plugin: PluginModule['Plugin']): PluginModule['Plugin'] {
  return class {
    readonly #plugin: { readonly access: Phase; close?(): void };

    constructor(config: never, host?: HostInfo) {
      this.#plugin = new Plugin(config, host && { ...host, phases: ['access'] }) as {
        access: Phase;
        close?(): void;
      };
    }

    access(kong: unknown, event: unknown): unknown {
      return this.#plugin.access(kong, event);
    }

    close(): void {
      this.#plugin.close?.();
    }
  };
}
