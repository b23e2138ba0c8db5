import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { pluginServerConf } from '../../dev/kong/config/gateway-config.js';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import { builtJsPlugin, builtPluginServer } from './built-plugin-server.js';
import { CHILD_COVERAGE } from './child-coverage.js';
import type { Host } from './hosts.js';

const STOCK_SERVER = createRequire(import.meta.url).resolve('kong-pdk/bin/kong-js-pluginserver');

/** The lines of kong.conf that make Kong run the plugin under a host. */
export async function hostConf(host: Host, folder: string, args: readonly string[]): Promise<KongConf> {
  const socket = join(folder, 'ping-auth.socket');
  const { start, query } =
    host === 'ping-auth-pluginserver' ? await ourServer(socket, folder, args) : await stockServer(folder);
  const dump = join(folder, 'dump.json');
  writeFileSync(dump, await dumped(host, query));
  return pluginServerConf('ping-auth', socket, { start, query: `cat ${dump}` });
}

const dumps = new Map<Host, Promise<string>>();

/** What the query command prints is the same for every rig, and asking takes as long as starting the plugin server. */
function dumped(host: Host, [program, ...args]: readonly [string, ...string[]]): Promise<string> {
  const known =
    dumps.get(host) ?? promisify(execFile)(program, args, { env: {} }).then(({ stdout }) => stdout);
  dumps.set(host, known);
  return known;
}

/** What an admin pastes beside ping-auth: the guard of the host. */
export function companionPlugins(host: Host): readonly { name: string }[] {
  const file = host === 'ping-auth-pluginserver' ? 'own-server.yml' : 'kong.yml';
  return parse(readFileSync(new URL(`../../kong/guard/${file}`, import.meta.url), 'utf8')).plugins;
}

async function ourServer(socket: string, folder: string, args: readonly string[]) {
  const command = [process.execPath, await builtPluginServer()] as const;
  // Kong gives its children no environment.
  const coverage = CHILD_COVERAGE === undefined ? [] : ['env', `NODE_V8_COVERAGE=${CHILD_COVERAGE}`];
  const start = [...coverage, ...command, '--socket', socket, '--body-dir', folder, ...args].join(' ');
  return { start, query: [...command, '--dump'] as const };
}

/** The stock server takes every file in its folder for a plugin. */
async function stockServer(folder: string) {
  const plugins = join(folder, 'js-plugins');
  mkdirSync(plugins);
  symlinkSync(await builtJsPlugin(), join(plugins, 'ping-auth.cjs'));
  const command = [process.execPath, STOCK_SERVER, '-d', plugins] as const;
  return {
    start: [...command, '-p', folder, '--sock-name', 'ping-auth.socket'].join(' '),
    query: [...command, '--dump-all-plugins'] as const,
  };
}
