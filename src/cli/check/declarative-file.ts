import { type Document, parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '../../http/text.js';

/** One place in a declarative file where the plugin is configured. */
export interface PluginEntry {
  /** `global`, `service orders`, `service orders, route create`, `KongPlugin default/ping-auth`. */
  readonly where: string;
  readonly enabled: boolean;
  /** As written: references not resolved. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A `vaults` entry: Kong lets admins give the environment another name and a prefix. */
export interface EnvVault {
  readonly name: string;
  readonly prefix: string;
}

export interface DeclarativeFile {
  readonly entries: readonly PluginEntry[];
  readonly vaults: readonly EnvVault[];
}

/** Kong's kinds of entities that carry plugins, and how each is called in a sentence. */
const CARRIERS = {
  services: 'service',
  routes: 'route',
  consumers: 'consumer',
  consumer_groups: 'consumer group',
} as const;

/**
 * Finds every configuration of the plugin in a kong.yml, a decK file or Kubernetes manifests (KongPlugin,
 * KongClusterPlugin); JSON is YAML, too.
 * @throws Error with line and column when the text is not YAML.
 */
export function readDeclarativeFile(text: string, pluginName: string): DeclarativeFile {
  const entries: PluginEntry[] = [];
  const vaults: EnvVault[] = [];
  // One document gives a single-element list; an empty file an empty one.
  for (const document of parseAllDocuments(text) as Document[]) {
    const [error] = document.errors;
    if (error) throw new Error(error.message);
    const root: unknown = document.toJS({ maxAliasCount: 1000 });
    if (!isJsonObject(root)) continue;
    if (root.kind === 'KongPlugin' || root.kind === 'KongClusterPlugin') {
      if (root.plugin === pluginName) entries.push(kubernetesEntry(root));
      continue;
    }
    collect(root, [], pluginName, entries);
    for (const vault of list(root.vaults)) {
      if (vault.name !== 'env' || typeof vault.prefix !== 'string') continue;
      const prefix =
        isJsonObject(vault.config) && typeof vault.config.prefix === 'string' ? vault.config.prefix : '';
      vaults.push({ name: vault.prefix, prefix });
    }
  }
  return { entries, vaults };
}

function collect(
  node: JsonObject,
  path: readonly string[],
  pluginName: string,
  entries: PluginEntry[],
): void {
  for (const plugin of list(node.plugins)) {
    if (plugin.name !== pluginName) continue;
    const scope = [...path, ...references(plugin)];
    entries.push({
      where: scope.length === 0 ? 'global' : scope.join(', '),
      enabled: plugin.enabled !== false,
      config: isJsonObject(plugin.config) ? plugin.config : {},
    });
  }
  for (const [key, kind] of Object.entries(CARRIERS)) {
    for (const child of list(node[key])) {
      collect(child, [...path, `${kind} ${nameOf(child)}`], pluginName, entries);
    }
  }
}

/** A plugin at the top level may name what it belongs to: `service: orders`. */
function references(plugin: JsonObject): string[] {
  return ['service', 'route', 'consumer', 'consumer_group'].flatMap((kind) => {
    const value = plugin[kind];
    const name = isJsonObject(value) ? nameOf(value) : value;
    return typeof name === 'string' ? [`${kind.replace('_', ' ')} ${name}`] : [];
  });
}

function kubernetesEntry(root: JsonObject): PluginEntry {
  const metadata = isJsonObject(root.metadata) ? root.metadata : {};
  const namespace = typeof metadata.namespace === 'string' ? `${metadata.namespace}/` : '';
  return {
    where: `${String(root.kind)} ${namespace}${String(metadata.name ?? '(no name)')}`,
    enabled: root.disabled !== true,
    config: isJsonObject(root.config) ? root.config : {},
  };
}

function nameOf(node: JsonObject): string {
  for (const key of ['name', 'username', 'id']) {
    const value = node[key];
    if (typeof value === 'string') return value;
  }
  return '(no name)';
}

function list(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
