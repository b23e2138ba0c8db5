import { join } from 'node:path';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import { builtPluginServer } from './built-plugin-server.js';
import type { Host } from './hosts.js';

/** The lines of kong.conf that make Kong run the plugin under a host. */
export async function pluginServerConf(
  host: Host,
  folder: string,
  args: readonly string[],
): Promise<KongConf> {
  if (host !== 'ping-auth-pluginserver') throw new Error(`${host} is not wired up yet`);
  const socket = join(folder, 'ping-auth.socket');
  const command = `${process.execPath} ${await builtPluginServer()}`;
  return {
    pluginserver_names: 'ping-auth',
    pluginserver_ping_auth_socket: socket,
    pluginserver_ping_auth_start_cmd: [command, '--socket', socket, '--body-dir', folder, ...args].join(' '),
    pluginserver_ping_auth_query_cmd: `${command} --dump`,
  };
}
