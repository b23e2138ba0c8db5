import { type PluginConfig, WORKSPACE_ID } from './declarative-config.js';

/** A field of a Kong schema, as far as defaults need it. */
interface SchemaField {
  readonly type?: string;
  readonly default?: unknown;
  readonly required?: boolean;
  readonly referenceable?: boolean;
  readonly fields?: readonly Readonly<Record<string, SchemaField>>[];
}

export interface PluginSchema {
  readonly name?: string;
  readonly fields?: readonly Readonly<Record<string, SchemaField>>[];
}

/**
 * The JSON that StartInstance carries: the admin's configuration with the schema's defaults, and Kong's own fields.
 * An unset record arrives as an object with its inner defaults; an explicit null beats the default and is left out.
 * @throws Error for an unknown or a missing required field.
 */
export function instanceConfig(schema: PluginSchema, plugin: PluginConfig, sequence: number): string {
  const field = schema.fields?.find((entry) => 'config' in entry)?.config;
  const fields = field?.fields ?? [];
  const { config, refs } = resolveReferences(withDefaults(fields, plugin.config, plugin.name), (name) =>
    fields.some((entry) => entry[name]?.referenceable === true),
  );
  const own = {
    plugin_instance_name: plugin.instanceName,
    __ws_id: WORKSPACE_ID,
    __plugin_id: plugin.id,
    __seq__: sequence,
    __key__: pluginKey(plugin),
    route_id: plugin.routeId,
    service_id: plugin.serviceId,
    ...(Object.keys(refs).length === 0 ? {} : { $refs: refs }),
  };
  // Lua's cjson writes slashes escaped.
  return JSON.stringify({ ...own, ...config }).replaceAll('/', '\\/');
}

export function pluginKey(plugin: PluginConfig): string {
  return `plugins:${plugin.name}:${plugin.routeId ?? ''}:${plugin.serviceId ?? ''}:::${WORKSPACE_ID}`;
}

function withDefaults(
  fields: readonly Readonly<Record<string, SchemaField>>[],
  given: Readonly<Record<string, unknown>>,
  where: string,
): Record<string, unknown> {
  const known = new Map(fields.flatMap((entry) => Object.entries(entry)));
  const config: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const field = known.get(name);
    // A server with an empty schema (the probes) takes anything.
    if (field === undefined && known.size > 0) throw new Error(`${where}.${name}: unknown field`);
    if (value === null) continue;
    config[name] = field?.type === 'record' ? record(field, value, `${where}.${name}`) : value;
  }
  for (const [name, field] of known) {
    if (name in given) continue;
    if (field.default !== undefined) config[name] = structuredClone(field.default);
    else if (field.type === 'record') config[name] = record(field, {}, `${where}.${name}`);
    else if (field.required === true) throw new Error(`${where}.${name}: required field missing`);
  }
  return config;
}

function record(field: SchemaField, value: unknown, where: string): unknown {
  if (typeof value !== 'object' || value === null) throw new Error(`${where}: expected a record`);
  return withDefaults(field.fields ?? [], value as Record<string, unknown>, where);
}

const REFERENCE = /^\{vault:\/\/env\/([a-z0-9_-]+)\}$/;

/**
 * Resolves `{vault://env/name}` in the fields of a configuration, as Kong does each time it starts an instance: hyphens become
 * underscores, letters upper case; what cannot be resolved arrives as an empty string, and `$refs` keeps the reference
 * (recorded).
 */
export function resolveReferences(
  config: Readonly<Record<string, unknown>>,
  isReferenceable: (field: string) => boolean,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): { config: Record<string, unknown>; refs: Record<string, string> } {
  const resolved: Record<string, unknown> = { ...config };
  const refs: Record<string, string> = {};
  for (const [field, value] of Object.entries(config)) {
    const name = typeof value === 'string' && isReferenceable(field) ? REFERENCE.exec(value)?.[1] : undefined;
    if (name === undefined) continue;
    resolved[field] = environment[name.replaceAll('-', '_').toUpperCase()] ?? '';
    refs[field] = String(value);
  }
  return { config: resolved, refs };
}
