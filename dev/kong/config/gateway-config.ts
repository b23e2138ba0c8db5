import type { KongConf } from './kong-conf.js';

/** kong.conf's lines for one plugin server. */
export function pluginServerConf(
  name: string,
  socket: string,
  commands: {
    readonly query: string;
    /** Left out when somebody else runs it. */
    readonly start?: string;
  },
): KongConf {
  const prefix = `pluginserver_${name.replaceAll('-', '_')}`;
  return {
    pluginserver_names: name,
    [`${prefix}_socket`]: socket,
    [`${prefix}_query_cmd`]: commands.query,
    ...(commands.start !== undefined && { [`${prefix}_start_cmd`]: commands.start }),
  };
}

interface NamedPlugin {
  readonly name: string;
  readonly config?: object;
}

/** A service of kong.yml with one route to it and the plugins of that route. Nothing is tried again, and paths stay whole. */
export function routedService(
  name: string,
  url: string,
  plugins: readonly NamedPlugin[] = [],
  route: { readonly paths?: readonly string[]; readonly hosts?: readonly string[] } = { paths: ['/'] },
): object {
  return { name, url, retries: 0, routes: [{ name, strip_path: false, ...route, plugins }] };
}

/** kong.yml with these services, and plugins for all of them. */
export function kongYml(
  services: readonly object[],
  plugins: readonly NamedPlugin[] = [],
): Record<string, unknown> {
  return { _format_version: '3.0', services, plugins };
}

/** The configuration of ping-auth that every gateway needs. */
export function pingAuth(
  provider: { readonly url: string; readonly ca?: string },
  secret: string,
  more: object = {},
): { readonly name: string; readonly config: Readonly<Record<string, unknown>> } {
  const config = {
    service_url: provider.url,
    shared_secret: secret,
    secret_header_name: 'CLIENT-TOKEN',
    ...(provider.ca !== undefined && { ca_certificate: provider.ca }),
    ...more,
  };
  return { name: 'ping-auth', config };
}
