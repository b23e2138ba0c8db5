import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import { z } from 'zod';

/** The one workspace of an open-source Kong. */
export const WORKSPACE_ID = '0dc6f45b-8f8d-40d2-a504-473544ee190b';

export interface Service {
  readonly id: string;
  readonly name: string | undefined;
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly retries: number;
  readonly connectTimeout: number;
  readonly writeTimeout: number;
  readonly readTimeout: number;
}

export interface Route {
  readonly id: string;
  readonly name: string | undefined;
  readonly hosts: readonly string[];
  readonly paths: readonly string[];
  readonly methods: readonly string[];
  readonly protocols: readonly string[];
  readonly stripPath: boolean;
  readonly preserveHost: boolean;
  readonly service: Service;
}

/** One entry under `plugins`; the ids of its scope are unset for a global one. */
export interface PluginConfig {
  readonly id: string;
  readonly name: string;
  readonly instanceName: string | undefined;
  readonly enabled: boolean;
  readonly routeId: string | undefined;
  readonly serviceId: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Entities {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
  readonly plugins: readonly PluginConfig[];
}

/** Ids of a declarative config follow from the names, so that they survive a reload. */
export function entityId(...parts: readonly string[]): string {
  const hash = createHash('sha1').update(parts.join('\0')).digest();
  hash.writeUInt8(((hash[6] ?? 0) & 0x0f) | 0x50, 6);
  hash.writeUInt8(((hash[8] ?? 0) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}

const reference = z.union([z.string(), z.object({ name: z.string().optional(), id: z.string().optional() })]);

const pluginSchema = z.object({
  id: z.string().optional(),
  name: z.string(),
  instance_name: z.string().optional(),
  enabled: z.boolean().default(true),
  config: z.record(z.string(), z.unknown()).default({}),
  route: reference.nullish(),
  service: reference.nullish(),
  protocols: z.array(z.string()).optional(),
  tags: z.array(z.string()).nullish(),
});

const routeSchema = z.object({
  id: z.string().optional(),
  name: z.string().optional(),
  hosts: z.array(z.string()).nullish(),
  paths: z.array(z.string()).nullish(),
  methods: z.array(z.string()).nullish(),
  protocols: z.array(z.string()).default(['http', 'https']),
  strip_path: z.boolean().default(true),
  preserve_host: z.boolean().default(false),
  service: reference.nullish(),
  plugins: z.array(pluginSchema).nullish(),
  tags: z.array(z.string()).nullish(),
});

const serviceSchema = z.object({
  id: z.string().optional(),
  name: z.string().optional(),
  url: z.string(),
  retries: z.number().int().default(5),
  connect_timeout: z.number().int().default(60_000),
  write_timeout: z.number().int().default(60_000),
  read_timeout: z.number().int().default(60_000),
  routes: z.array(routeSchema).nullish(),
  plugins: z.array(pluginSchema).nullish(),
  enabled: z.boolean().optional(),
  tags: z.array(z.string()).nullish(),
});

const fileSchema = z.object({
  _format_version: z.string(),
  _transform: z.boolean().optional(),
  services: z.array(serviceSchema).nullish(),
  routes: z.array(routeSchema).nullish(),
  plugins: z.array(pluginSchema).nullish(),
});

type RawPlugin = z.infer<typeof pluginSchema>;
type RawRoute = z.infer<typeof routeSchema>;
type RawService = z.infer<typeof serviceSchema>;

/** What a kong.yml holds, before parsing: YAML text or the same structure as an object. */
export type DeclarativeConfig = string | Record<string, unknown>;

/** @throws Error */
export function readDeclarativeConfig(config: DeclarativeConfig): Entities {
  const parsed = fileSchema.safeParse(typeof config === 'string' ? parse(config) : config);
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  const file = parsed.data;
  const services: Service[] = [];
  const routes: Route[] = [];
  const plugins: PluginConfig[] = [];

  const addRoute = (raw: RawRoute, service: Service): void => {
    const route = makeRoute(raw, service);
    routes.push(route);
    for (const plugin of raw.plugins ?? []) plugins.push(makePlugin(plugin, { routeId: route.id }));
  };
  for (const raw of file.services ?? []) {
    const service = makeService(raw);
    services.push(service);
    for (const plugin of raw.plugins ?? []) plugins.push(makePlugin(plugin, { serviceId: service.id }));
    for (const route of raw.routes ?? []) addRoute(route, service);
  }
  for (const raw of file.routes ?? []) addRoute(raw, find('service', services, raw.service));
  for (const raw of file.plugins ?? []) {
    const routeId = raw.route == null ? undefined : find('route', routes, raw.route).id;
    const serviceId = raw.service == null ? undefined : find('service', services, raw.service).id;
    plugins.push(makePlugin(raw, { routeId, serviceId }));
  }
  return { services, routes, plugins };
}

function makeService(raw: RawService): Service {
  const url = new URL(raw.url);
  const protocol = url.protocol === 'https:' ? 'https' : 'http';
  return {
    id: raw.id ?? entityId('service', raw.name ?? raw.url),
    name: raw.name,
    protocol,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (protocol === 'https' ? 443 : 80),
    path: url.pathname === '/' ? undefined : url.pathname,
    retries: raw.retries,
    connectTimeout: raw.connect_timeout,
    writeTimeout: raw.write_timeout,
    readTimeout: raw.read_timeout,
  };
}

function makeRoute(raw: RawRoute, service: Service): Route {
  return {
    id:
      raw.id ??
      entityId('route', raw.name ?? JSON.stringify([service.id, raw.hosts, raw.paths, raw.methods])),
    name: raw.name,
    hosts: raw.hosts ?? [],
    paths: raw.paths ?? [],
    methods: raw.methods ?? [],
    protocols: raw.protocols,
    stripPath: raw.strip_path,
    preserveHost: raw.preserve_host,
    service,
  };
}

function makePlugin(
  raw: RawPlugin,
  scope: { routeId?: string | undefined; serviceId?: string | undefined },
): PluginConfig {
  return {
    id: raw.id ?? entityId('plugin', raw.name, scope.routeId ?? '', scope.serviceId ?? ''),
    name: raw.name,
    instanceName: raw.instance_name,
    enabled: raw.enabled,
    routeId: scope.routeId,
    serviceId: scope.serviceId,
    config: raw.config,
  };
}

function find<T extends { id: string; name: string | undefined }>(
  kind: string,
  entities: readonly T[],
  wanted: z.infer<typeof reference> | null | undefined,
): T {
  const key = typeof wanted === 'string' ? wanted : (wanted?.id ?? wanted?.name);
  const found = entities.find((entity) => entity.id === key || entity.name === key);
  if (found === undefined) throw new Error(`there is no ${kind} "${key}"`);
  return found;
}
