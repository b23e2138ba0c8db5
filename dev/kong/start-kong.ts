import { mkdirSync, readFileSync } from 'node:fs';
import { BlockList, connect, isIP, isIPv6, type Server, type Socket } from 'node:net';
import { type DeclarativeConfig, readDeclarativeConfig } from './config/declarative-config.js';
import { type KongConf, readSettings, type Settings } from './config/kong-conf.js';
import { KongLog } from './kong-log.js';
import { PluginProcess, queryPlugin } from './process/plugin-process.js';
import { MsgpackClient } from './rpc/msgpack-client.js';
import type { PluginClient, PluginInfo } from './rpc/plugin-client.js';
import { ProtobufClient } from './rpc/protobuf-client.js';
import { Gateway } from './server/gateway.js';
import { open } from './server/listeners.js';
import { PluginChain, PluginRunner } from './server/plugin-chain.js';

export interface KongOptions {
  readonly conf: KongConf;
  /** kong.yml as text or as an object; or `file`, its path. */
  readonly declarativeConfig?: DeclarativeConfig;
  readonly file?: string;
}

/** A running stand-in. */
export interface RunningKong {
  /** Of the first plain and the first TLS listener; 0 when there is none. */
  readonly proxyPort: number;
  readonly tlsPort: number;
  readonly log: KongLog;
  readonly plugins: readonly PluginInfo[];
  /** Pids of the plugin servers that were started with `start_cmd`, by their name in kong.conf. */
  pid(pluginServer: string): number | undefined;
  /** `POST /config`: instances are restarted at the next request. @throws Error that says what is wrong */
  reload(config: DeclarativeConfig): void;
  /** Closes listeners and connections, SIGTERM to the plugin servers. */
  stop(): Promise<void>;
}

/**
 * Starts the stand-in: query commands, plugin servers, listeners.
 * @throws Error that says what is wrong with the configuration or the query command
 */
export async function startKong(options: KongOptions): Promise<RunningKong> {
  const settings = readSettings(options.conf);
  const log = new KongLog();
  mkdirSync(settings.prefix, { recursive: true });
  const plugins = await Promise.all(settings.pluginServers.map(queryPlugin));
  const clients: PluginClient[] = [];
  const runners = Array.from({ length: settings.workers }, () => {
    const byName = new Map<string, PluginRunner>();
    for (const info of plugins) {
      const client = pluginClient(info, settings);
      clients.push(client);
      const protocol = info.protocol === 'ProtoBuf:1' ? 'pb' : 'mp';
      byName.set(info.name, new PluginRunner(client, protocol, log, settings.eventRepeats));
    }
    return byName;
  });
  const gateway = new Gateway(
    settings,
    log,
    new PluginChain(plugins, runners),
    trustedAddresses(settings.trustedIps),
  );
  const text =
    options.declarativeConfig ??
    (options.file === undefined ? '_format_version: "3.0"' : readFileSync(options.file, 'utf8'));
  gateway.configure(readDeclarativeConfig(text));

  const processes = new Map<string, PluginProcess>();
  for (const server of settings.pluginServers) {
    if (server.startCommand === undefined) {
      const external = 'assuming external process management';
      log.write('warn', `start_command undefined for pluginserver ${server.name}; ${external}`);
      continue;
    }
    const child = new PluginProcess(server.name, server.startCommand, log);
    processes.set(server.name, child);
    child.start();
  }
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
    for (const client of clients) client.destroy();
    gateway.destroy();
    await Promise.all([...processes.values()].map((child) => child.stop()));
  };
  try {
    await Promise.all(
      settings.pluginServers
        .filter((server) => server.startCommand !== undefined)
        .map(async (server) => {
          if (!(await listens(server.socket, settings.startWaitMs))) {
            log.write('warn', `${server.name} does not listen on ${server.socket} yet`);
          }
        }),
    );
    const opened = await Promise.all(
      settings.listen.map((where) => open(where, settings, gateway, sockets, servers)),
    );
    const port = (ssl: boolean): number => opened.find((entry) => entry.ssl === ssl)?.port ?? 0;
    return {
      proxyPort: port(false),
      tlsPort: port(true),
      log,
      plugins,
      pid: (name) => processes.get(name)?.pid,
      reload: (config) => gateway.configure(readDeclarativeConfig(config)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function pluginClient(info: PluginInfo, settings: Settings): PluginClient {
  const Client = info.protocol === 'ProtoBuf:1' ? ProtobufClient : MsgpackClient;
  return new Client(info.server.socket, settings.rpcTimeoutMs, settings.idleConnections);
}

/** Somebody accepts connections on the socket. A stale file does not count. */
async function listens(path: string, withinMs: number): Promise<boolean> {
  const until = Date.now() + withinMs;
  for (;;) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect(path, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (accepted) return true;
    if (Date.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function trustedAddresses(list: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const entry of list) {
    const [address = '', bits] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  return (address) => isIP(address) !== 0 && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
