import { parseDocument } from 'yaml';
import { z } from 'zod';
import { isJsonObject, type JsonObject, parseJson } from '../../http/text.js';
import type { PluginEntry, Unresolved } from './plugin-entry.js';

const SecretSchema = z.looseObject({
  kind: z.literal('Secret'),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().nullish() }),
  data: z.record(z.string(), z.string()).nullish(),
  stringData: z.record(z.string(), z.string()).nullish(),
});
const KeyRef = z.looseObject({ name: z.string(), key: z.string(), namespace: z.string().nullish() });
const PluginSchema = z.looseObject({
  kind: z.enum(['KongPlugin', 'KongClusterPlugin']),
  plugin: z.string(),
  metadata: z.looseObject({ name: z.string().nullish(), namespace: z.string().nullish() }).nullish(),
  disabled: z.boolean().nullish(),
  config: z.custom<JsonObject>(isJsonObject).nullish(),
  configFrom: z.looseObject({ secretKeyRef: KeyRef }).nullish(),
  configPatches: z
    .array(z.looseObject({ path: z.string(), valueFrom: z.looseObject({ secretKeyRef: KeyRef }) }))
    .nullish(),
});

/** The Secrets among the manifests of a file: KongPlugin takes configurations, or parts of them, out of such. */
export class Secrets {
  readonly #values = new Map<string, string>();

  constructor(manifests: readonly unknown[]) {
    for (const manifest of manifests) {
      const { success, data: secret } = SecretSchema.safeParse(manifest);
      if (!success) continue;
      const { name, namespace } = secret.metadata;
      const of = (key: string) => `${namespace ?? 'default'}/${name}/${key}`;
      for (const [key, value] of Object.entries(secret.data ?? {}))
        this.#values.set(of(key), Buffer.from(value, 'base64').toString());
      for (const [key, value] of Object.entries(secret.stringData ?? {})) this.#values.set(of(key), value);
    }
  }

  value(namespace: string, name: string, key: string): string | undefined {
    return this.#values.get(`${namespace}/${name}/${key}`);
  }
}

/** A KongPlugin or KongClusterPlugin of that plugin, as the Kong Ingress Controller would hand it to Kong; undefined: none. */
export function kubernetesEntry(
  manifest: unknown,
  pluginName: string,
  secrets: Secrets,
): PluginEntry | undefined {
  const { success, data: root } = PluginSchema.safeParse(manifest);
  if (!success || root.plugin !== pluginName) return undefined;
  const { name, namespace } = root.metadata ?? {};
  const where = `${root.kind} ${namespace ? `${namespace}/` : ''}${name ?? '(no name)'}`;
  const unresolved: Unresolved[] = [];
  const read = (field: string, ref: z.infer<typeof KeyRef>): string | undefined => {
    // Only a KongClusterPlugin names a namespace; a KongPlugin looks in its own.
    const of = ref.namespace ?? namespace ?? 'default';
    const value = secrets.value(of, ref.name, ref.key);
    if (value === undefined) {
      const problem = `comes from the key ${ref.key} of the Secret ${of}/${ref.name}, which is not in this file`;
      unresolved.push({ field, problem, isElsewhere: true });
    }
    return value;
  };
  let config: JsonObject = root.config ?? {};
  if (root.configFrom) {
    const text = read('(all fields)', root.configFrom.secretKeyRef);
    const parsed: unknown = text === undefined ? undefined : parseDocument(text).toJS();
    if (isJsonObject(parsed)) config = parsed;
  }
  for (const { path, valueFrom } of root.configPatches ?? []) {
    const [field = '', ...rest] = path.split('/').slice(1).map(unescaped);
    const text = read(field, valueFrom.secretKeyRef);
    if (text === undefined) continue;
    const value = parseJson(text);
    if (value === undefined) {
      unresolved.push({
        field,
        problem: `configPatches wants JSON in the key ${valueFrom.secretKeyRef.key} of its Secret: put a text in quotes`,
      });
    } else config = patched(config, field, rest, value);
  }
  return { where, enabled: root.disabled !== true, config, unresolved };
}

/** `add` of JSON Patch (RFC 6902), as deep as a configuration of this plugin goes: a field, or an element of a list. */
function patched(config: JsonObject, field: string, rest: readonly string[], value: unknown): JsonObject {
  const [index] = rest;
  if (index === undefined) return { ...config, [field]: value };
  const before = config[field];
  const list = Array.isArray(before) ? [...before] : [];
  list.splice(index === '-' ? list.length : Number(index), 0, value);
  return { ...config, [field]: list };
}

/** JSON Pointer (RFC 6901). */
function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
