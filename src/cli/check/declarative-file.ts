import { type Document, parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '../../http/text.js';
import { kubernetesEntry, Secrets } from './kubernetes.js';
import type { EnvVault, PluginEntry } from './plugin-entry.js';

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
  const roots = (parseAllDocuments(text) as Document[]).map((document): unknown => {
    const [error] = document.errors;
    if (error) throw new Error(error.message);
    return document.toJS({ maxAliasCount: 1000 });
  });
  const secrets = new Secrets(roots);
  for (const root of roots) {
    if (!isJsonObject(root)) continue;
    if (root.kind === 'KongPlugin' || root.kind === 'KongClusterPlugin') {
      const entry = kubernetesEntry(root, pluginName, secrets);
      if (entry !== undefined) entries.push(entry);
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

/**
 * The entries that `where` names: `service bank` is the entry of that service or, if the service has none of its own, each entry
 * within it, such as `service bank, route transfer`.
 */
export function entriesAt(entries: readonly PluginEntry[], where: string): PluginEntry[] {
  const exact = entries.filter((entry) => entry.where === where);
  if (exact.length > 0) return exact;
  const wanted = where.split(/\s*,\s*/);
  return entries.filter((entry) => {
    const places = entry.where.split(', ');
    return wanted.every((place) => places.includes(place));
  });
}

/** The one entry that `where` names. @throws Error that lists what there is */
export function entryAt(entries: readonly PluginEntry[], where: string, file: string): PluginEntry {
  const found = entriesAt(entries, where);
  const [entry] = found;
  if (entry !== undefined && found.length === 1) return entry;
  const problem =
    found.length === 0 ? `no configuration at '${where}'` : `several configurations at '${where}'`;
  const there = (found.length === 0 ? entries : found).map((one) => `'${one.where}'`).join(', ');
  throw new Error(`--where: ${problem} in ${file}; there ${found.length === 0 ? 'is' : 'are'} ${there}`);
}
