import type { ConfiguredPlugin, KongFacts } from './kong-facts.js';

type Route = KongFacts['routes'][number];

/** One configuration of the plugin, and what Kong makes of it. */
export interface Scope {
  readonly plugin: ConfiguredPlugin;
  /** `global`, `service orders`, `route create`, `service orders, route create`, `consumer 5c1d…`. */
  readonly where: string;
  /** What would apply where this one does if it were not there, the most specific one first. */
  readonly behind: readonly string[];
}

/**
 * Which configuration of a plugin Kong runs where. For one request it runs only the most specific one that is enabled:
 * of route and service together, then of the route, of the service, the global one. (One of a consumer goes before those of a
 * route; it is left out here, because who the consumer is depends on the request.)
 */
export class Scopes {
  readonly #facts: KongFacts;
  readonly #plugins: readonly ConfiguredPlugin[];
  readonly #enabled: readonly ConfiguredPlugin[];

  /** @param plugins of one name */
  constructor(facts: KongFacts, plugins: readonly ConfiguredPlugin[]) {
    this.#facts = facts;
    this.#plugins = plugins;
    this.#enabled = plugins.filter(({ enabled }) => enabled);
  }

  all(): Scope[] {
    return this.#plugins.map((plugin) => ({
      plugin,
      where: this.#where(plugin),
      behind: this.#behind(plugin).map((other) => this.#where(other)),
    }));
  }

  /** What Kong runs for a request on this route without a consumer. */
  on(route: Route): ConfiguredPlugin | undefined {
    return this.#enabled
      .filter((plugin) => plugin.consumer === undefined && applies(plugin, route))
      .sort(bySpecificity)[0];
  }

  #where({ service, route, consumer }: ConfiguredPlugin): string {
    const name = (list: KongFacts['services'], id: string) => list.find((one) => one.id === id)?.name ?? id;
    const parts = [
      ...(service === undefined ? [] : [`service ${name(this.#facts.services, service)}`]),
      ...(route === undefined ? [] : [`route ${name(this.#facts.routes, route)}`]),
      ...(consumer === undefined ? [] : [`consumer ${consumer}`]),
    ];
    return parts.length === 0 ? 'global' : parts.join(', ');
  }

  #behind(plugin: ConfiguredPlugin): ConfiguredPlugin[] {
    const service = plugin.service ?? this.#facts.routes.find(({ id }) => id === plugin.route)?.service;
    return this.#enabled
      .filter(
        (other) =>
          other !== plugin &&
          other.consumer === undefined &&
          (other.route === undefined || other.route === plugin.route) &&
          (other.service === undefined || other.service === service) &&
          (specificity(other) < specificity(plugin) || plugin.consumer !== undefined),
      )
      .sort(bySpecificity);
  }
}

function applies({ route, service }: ConfiguredPlugin, { id, service: of }: Route): boolean {
  return (route === undefined || route === id) && (service === undefined || service === of);
}

function specificity({ route, service }: ConfiguredPlugin): number {
  return (route === undefined ? 0 : 2) + (service === undefined ? 0 : 1);
}

function bySpecificity(a: ConfiguredPlugin, b: ConfiguredPlugin): number {
  return specificity(b) - specificity(a);
}
