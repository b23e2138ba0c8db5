import { z } from 'zod';
import { type AdminApi, AdminApiError } from './admin-api.js';

/** What Kong's Admin API says; everything that is not looked at here is left out. */
export interface KongFacts {
  /** `3.9.3`, `3.9.0.1`. */
  readonly version: string;
  /** `traditional`, `control_plane`, `data_plane`. */
  readonly role: string | undefined;
  /** Version of the plugin as Kong loaded it. */
  readonly pluginVersion: string | undefined;
  /** Names of the plugin's fields; undefined when Kong does not know the plugin. */
  readonly fields: readonly string[] | undefined;
  /** What `GET /` of the Admin API answers; `has the line`: kong.conf keeps handles of processes out of it. */
  readonly root: 'fails' | 'answers' | 'has the line';
  /** Addresses of proxies that Kong believes; empty when Kong cannot tell. */
  readonly trustedIps: readonly string[];
  /** undefined when Kong cannot tell. */
  readonly servers: readonly PluginServer[] | undefined;
  readonly services: readonly Named[];
  readonly routes: readonly (Named & {
    readonly service: string | undefined;
    readonly protocols: readonly string[];
  })[];
  /** Of the plugin and of `post-function`. */
  readonly plugins: readonly ConfiguredPlugin[];
}

export interface PluginServer {
  readonly name: string;
  readonly socket: string | undefined;
  readonly startCommand: string | undefined;
}

export interface Named {
  readonly id: string;
  /** Its name, or its id where it has none. */
  readonly name: string;
}

/** One configuration of a plugin; the ids are of what it belongs to. */
export interface ConfiguredPlugin {
  readonly name: string;
  readonly enabled: boolean;
  readonly service: string | undefined;
  readonly route: string | undefined;
  /** A consumer or a group of them. */
  readonly consumer: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
}

const text = z.string().nullish();
const Reference = z.looseObject({ id: z.string() }).nullish();
const Server = z.looseObject({ name: z.string(), socket: text, start_command: text });
const Information = z.looseObject({
  version: z.string(),
  plugins: z.looseObject({ available_on_server: z.unknown() }),
  configuration: z.looseObject({
    role: text,
    pluginservers: z.unknown(),
    pluginserver_names: z.unknown(),
    nginx_admin_access_by_lua: text,
    trusted_ips: z.unknown().optional(),
  }),
});
const Texts = z.array(z.string());
const Entity = z.looseObject({
  id: z.string(),
  name: text,
  service: Reference,
  protocols: z.unknown().optional(),
});
const Plugin = z.looseObject({
  name: z.string(),
  enabled: z.boolean(),
  service: Reference,
  route: Reference,
  consumer: Reference,
  consumer_group: Reference,
  config: z.record(z.string(), z.unknown()).nullish(),
});
const Fields = z.looseObject({ fields: z.array(z.record(z.string(), z.unknown())) });
/** Before 3.x only `true` stands in the place of version and priority. */
const Available = z.record(z.string(), z.unknown());

/** Some seven calls, more for long lists. @throws AdminApiError */
export async function readKong(api: AdminApi, pluginName: string): Promise<KongFacts> {
  const itself = readInformation(await api.information(), pluginName);
  const schema = Fields.safeParse(await api.get(`/schemas/plugins/${encodeURIComponent(pluginName)}`));
  const list = async <T>(path: string, shape: z.ZodType<T>): Promise<T[]> => {
    const { success, data } = z.array(shape).safeParse(await api.list(path));
    if (!success) throw notKong();
    return data;
  };
  return {
    ...itself,
    fields: schema.data === undefined ? undefined : fieldNames(schema.data),
    services: (await list('/services', Entity)).map(named),
    routes: (await list('/routes', Entity)).map((route) => ({
      ...named(route),
      service: route.service?.id,
      protocols: Texts.safeParse(route.protocols).data ?? [],
    })),
    plugins: (await list('/plugins', Plugin))
      .filter(({ name }) => name === pluginName || name === 'post-function')
      .map((plugin) => ({
        name: plugin.name,
        enabled: plugin.enabled,
        service: plugin.service?.id,
        route: plugin.route?.id,
        consumer: plugin.consumer?.id ?? plugin.consumer_group?.id,
        config: plugin.config ?? {},
      })),
  };
}

function readInformation(
  information: Awaited<ReturnType<AdminApi['information']>>,
  pluginName: string,
): Pick<KongFacts, 'version' | 'role' | 'pluginVersion' | 'servers' | 'root' | 'trustedIps'> {
  if ('version' in information) {
    const { version } = information;
    const unknown = { role: undefined, pluginVersion: undefined, servers: undefined };
    return { ...unknown, version, root: 'fails', trustedIps: [] };
  }
  const read = Information.safeParse(information.json);
  if (!read.success) throw notKong();
  const { version, plugins, configuration } = read.data;
  const available = Available.safeParse(plugins.available_on_server).data?.[pluginName];
  return {
    version,
    role: configuration.role ?? 'traditional',
    pluginVersion: z.looseObject({ version: z.string() }).safeParse(available).data?.version,
    servers: pluginServers(configuration),
    root: /\bproc\b/.test(configuration.nginx_admin_access_by_lua ?? '') ? 'has the line' : 'answers',
    // An empty list of Lua's may come as {}.
    trustedIps: Texts.safeParse(configuration.trusted_ips).data ?? [],
  };
}

function notKong(): AdminApiError {
  return new AdminApiError(
    'something answers with JSON, but not as Kong does',
    'Kong: name the address of admin_listen (port 8001 unless changed) in --admin-url.',
  );
}

function named({ id, name }: z.infer<typeof Entity>): Named {
  return { id, name: name ?? id };
}

/** `fields` holds one object with one key for each; those of the configuration stand under `config`. */
function fieldNames(schema: z.infer<typeof Fields>): string[] {
  const config = schema.fields.find((field) => 'config' in field)?.config;
  return (Fields.safeParse(config).data?.fields ?? []).flatMap((field) => Object.keys(field));
}

/** Newer Kongs list them with what they really run; older ones only repeat kong.conf. */
function pluginServers(configuration: z.infer<typeof Information>['configuration']): PluginServer[] {
  const listed = z.array(Server).safeParse(configuration.pluginservers);
  if (listed.success) {
    return listed.data.map(({ name, socket, start_command: command }) => ({
      name,
      socket: socket ?? undefined,
      startCommand: command ?? undefined,
    }));
  }
  const setting = (name: string, key: string) => {
    const value = configuration[`pluginserver_${name.replaceAll('-', '_')}_${key}`];
    return typeof value === 'string' ? value : undefined;
  };
  const names = z.array(z.string()).safeParse(configuration.pluginserver_names).data ?? [];
  return names.map((name) => ({
    name,
    socket: setting(name, 'socket'),
    startCommand: setting(name, 'start_cmd'),
  }));
}
