import { InstanceRegistry } from './instance-registry.js';
import { InstanceTable, LocalInstances } from './instances.js';
import { type HostOptions, PluginHost } from './plugin-host.js';
import { acceptErrorLog, SocketListener } from './socket-listener.js';

export interface PluginServerOptions extends Omit<HostOptions, 'instances'> {
  readonly socketPath: string;
  /** Take the socket over from a server that still listens there. */
  readonly takeover: boolean;
  /** Permission bits of the socket. */
  readonly socketMode: number;
  /** An instance without events for so long is dropped, milliseconds. */
  readonly instanceIdleMs: number;
}

const EXPIRY_INTERVAL_MS = 60_000;

/** A plugin server in one process. */
export class PluginServer {
  readonly host: PluginHost;
  readonly #listener: SocketListener;
  readonly #expiry: NodeJS.Timeout;

  private constructor(host: PluginHost, listener: SocketListener, expire: () => void) {
    this.host = host;
    this.#listener = listener;
    this.#expiry = setInterval(expire, EXPIRY_INTERVAL_MS);
    this.#expiry.unref();
  }

  /** @throws ListenError when the socket cannot be opened. */
  static async start(options: PluginServerOptions): Promise<PluginServer> {
    const { plugins, logger } = options;
    const registry = new InstanceRegistry({ idleMs: options.instanceIdleMs });
    const instances = new LocalInstances(new InstanceTable(plugins, logger), registry);
    const host = new PluginHost({ ...options, instances });
    const listener = await SocketListener.listen({
      path: options.socketPath,
      takeover: options.takeover,
      mode: options.socketMode,
      onError: acceptErrorLog(logger),
      onConnection: (socket) => host.accept(socket),
    });
    return new PluginServer(host, listener, () => {
      const count = instances.expire();
      if (count > 0) logger.info({ event: 'instances_expired', count }, 'instances without use were dropped');
    });
  }

  /**
   * Stops accepting, waits for the events in flight and closes all connections. Leaves the socket alone when another
   * server has taken it over.
   *
   * @returns how many events were cut off because they took longer than `graceMs`.
   */
  async stop(graceMs: number): Promise<number> {
    clearInterval(this.#expiry);
    await this.#listener.close();
    return this.host.drain(graceMs);
  }
}
