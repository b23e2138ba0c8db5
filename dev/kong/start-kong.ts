import { mkdirSync, readFileSync } from 'node:fs';
import http2 from 'node:http2';
import {
  type AddressInfo,
  BlockList,
  connect,
  createServer,
  isIP,
  isIPv6,
  type Server,
  type Socket,
} from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { type DeclarativeConfig, readDeclarativeConfig } from './config/declarative-config.js';
import { type KongConf, type Listen, readSettings, type Settings } from './config/kong-conf.js';
import { KongLog } from './kong-log.js';
import { PluginProcess } from './process/plugin-process.js';
import { queryPlugin } from './process/query-command.js';
import type { ConnectionInfo } from './request-context.js';
import { MsgpackClient } from './rpc/msgpack-client.js';
import type { PluginClient, PluginInfo } from './rpc/plugin-client.js';
import { ProtobufClient } from './rpc/protobuf-client.js';
import { Gateway } from './server/gateway.js';
import { serveHttp1 } from './server/http1-connection.js';
import { serveHttp2Stream } from './server/http2-connection.js';
import { PluginChain } from './server/plugin-chain.js';
import { PluginRunner } from './server/plugin-runner.js';
import { tlsInfo } from './server/tls-info.js';

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
  /** `POST /config`: instances are started anew at the next request. @throws DeclarativeConfigError, UnknownPluginError */
  reload(config: DeclarativeConfig): void;
  /** Closes listeners and connections, SIGTERM to the plugin servers. */
  stop(): Promise<void>;
}

const SOCKET_WAIT_MS = 15_000;

/**
 * Starts the stand-in: query commands, plugin servers, listeners.
 * @throws ConfError, QueryCommandError, DeclarativeConfigError, UnknownPluginError
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
    if (server.startCommand === undefined) continue;
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
          if (!(await listens(server.socket, SOCKET_WAIT_MS))) {
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
  if (info.protocol === 'ProtoBuf:1') return new ProtobufClient(info.server.socket, settings.rpcTimeoutMs);
  return new MsgpackClient(info.server.socket, settings.rpcTimeoutMs);
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

let connectionNumber = 0;

async function open(
  where: Listen,
  settings: Settings,
  gateway: Gateway,
  sockets: Set<Socket>,
  servers: Server[],
): Promise<{ port: number; ssl: boolean }> {
  const accept = (socket: Socket, secure?: TLSSocket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const number = ++connectionNumber;
    const info: ConnectionInfo = {
      remoteAddress: (socket.remoteAddress ?? '127.0.0.1').replace(/^::ffff:/, ''),
      remotePort: socket.remotePort ?? 0,
      localAddress: (socket.localAddress ?? '127.0.0.1').replace(/^::ffff:/, ''),
      localPort: socket.localPort ?? 0,
      tls: secure === undefined ? undefined : tlsInfo(secure, settings.askClientCertificate),
      worker: number % settings.workers,
      number,
    };
    if (secure?.alpnProtocol === 'h2') serveHttp2(secure, info, gateway);
    else
      void serveHttp1(socket, info, gateway).catch((error: unknown) => {
        gateway.log.write('alert', `connection failed: ${String(error)}`);
        socket.destroy();
      });
  };
  const server = where.ssl
    ? tlsServer(where, settings, accept)
    : createServer({ allowHalfOpen: true }, accept);
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where.port, where.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, ssl: where.ssl };
}

function tlsServer(
  where: Listen,
  settings: Settings,
  accept: (socket: Socket, secure: TLSSocket) => void,
): Server {
  if (settings.tls === undefined) throw new Error('an ssl listener needs ssl_cert and ssl_cert_key');
  const server = createTlsServer({
    cert: settings.tls.cert,
    key: settings.tls.key,
    requestCert: settings.askClientCertificate,
    rejectUnauthorized: false,
    ALPNProtocols: where.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
  });
  server.on('secureConnection', (socket) => accept(socket, socket));
  server.on('tlsClientError', () => undefined);
  return server;
}

function serveHttp2(socket: TLSSocket, info: ConnectionInfo, gateway: Gateway): void {
  const server = http2.createServer({ settings: { maxHeaderListSize: 1 << 20 }, maxSessionMemory: 64 });
  server.on('session', (session) => session.on('error', () => undefined));
  // Node's types leave out the fourth argument, the headers as they came.
  const onStream = (
    stream: http2.ServerHttp2Stream,
    _headers: unknown,
    _flags: unknown,
    raw: string[],
  ): void => {
    void serveHttp2Stream(stream, raw, info, gateway).catch((error: unknown) => {
      gateway.log.write('alert', `stream failed: ${String(error)}`);
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    });
  };
  (server as NodeJS.EventEmitter).on('stream', onStream);
  server.emit('connection', socket);
}
