// Names of Kong's routes and services in the place of the ids that log lines have.
import { createHash } from 'node:crypto';
import type { Command } from 'commander';
import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '../../http/text.js';
import { AdminApi } from '../check/kong/admin-api.js';
import { httpUrl } from '../option-values.js';
import { readTextFile } from '../read-file.js';
import type { Terminal } from '../terminal.js';

/** By id. */
export type KongNames = ReadonlyMap<string, string>;

export interface NameOptions {
  readonly config?: string;
  readonly adminUrl?: URL;
  readonly adminTokenEnv?: string;
  readonly adminCa?: string;
}

/** Adds the options of `NameOptions` but `--config`. */
export function withAdminOptions(command: Command): Command {
  return command
    .option('--admin-url <url>', 'Admin API of a running Kong: routes and services by name', httpUrl)
    .option(
      '--admin-token-env <name>',
      'environment variable that holds a token for it (default: KONG_ADMIN_TOKEN, if that is set)',
    )
    .option('--admin-ca <file>', 'PEM file of trusted certificates for it');
}

/** @throws Error that says which file or which Kong cannot be read */
export async function readKongNames(options: NameOptions, terminal: Terminal): Promise<KongNames> {
  const names = new Map<string, string>();
  if (options.config !== undefined) {
    for (const [id, name] of namesInFile(await readTextFile(options.config, '--config'))) names.set(id, name);
  }
  const { adminUrl: url, adminTokenEnv, adminCa } = options;
  if (url === undefined) return names;
  const token = terminal.environment[adminTokenEnv ?? 'KONG_ADMIN_TOKEN'] || undefined;
  const ca = adminCa === undefined ? undefined : await readTextFile(adminCa, '--admin-ca');
  const api = new AdminApi({ url, token, ca, timeoutMs: 10_000 });
  for (const kind of ['services', 'routes']) {
    for (const entity of await api.list(`/${kind}`)) {
      if (isJsonObject(entity) && typeof entity.id === 'string' && typeof entity.name === 'string')
        names.set(entity.id, entity.name);
    }
  }
  return names;
}

/** Of a kong.yml or decK file. An entity without an id gets the one that Kong makes of its name. */
export function namesInFile(text: string): KongNames {
  const names = new Map<string, string>();
  const add = (kind: 'services' | 'routes', node: JsonObject): void => {
    for (const entity of list(node[kind])) {
      const { id, name } = entity;
      if (typeof name === 'string') names.set(typeof id === 'string' ? id : idOf(kind, name), name);
      if (kind === 'services') add('routes', entity);
    }
  };
  for (const document of parseAllDocuments(text)) {
    if (!('contents' in document) || document.errors.length > 0) continue;
    const root: unknown = document.toJS({ maxAliasCount: 1000 });
    if (!isJsonObject(root)) continue;
    add('services', root);
    add('routes', root);
  }
  return names;
}

/** Kong's namespace for entities of a declarative file. */
const KONG_NAMESPACE = 'fd02801f-0957-4a15-a55a-c8d9606f30b5';

function idOf(kind: string, name: string): string {
  return uuidOf(uuidOf(KONG_NAMESPACE, kind), name);
}

/** A UUID of version 5 (RFC 9562, section 5.5). */
function uuidOf(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex').slice(0, 32);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function list(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
