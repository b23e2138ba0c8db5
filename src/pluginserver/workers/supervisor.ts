import type { Socket } from 'node:net';
import { type InstanceRecord, InstanceRegistry } from '../instance-registry.js';
import type { Instance, InstanceDirectory } from '../instances.js';
import type { PluginServerOptions } from '../options.js';
import { PluginHost } from '../plugin-host.js';
import { acceptErrorLog, assertSocketFree, SocketListener } from '../socket-listener.js';
import type { Answer, ToParent } from './messages.js';
import { WorkerPool, type WorkerProcess } from './worker-pool.js';

export interface SupervisorOptions extends PluginServerOptions {
  readonly workers: number;
}

const EXPIRY_INTERVAL_MS = 60_000;
const REPORT_MS = 1_000;
/** After this time the socket is opened whether the workers are ready or not. */
const READY_MS = 10_000;

/**
 * The parent of a server with several processes: it owns the socket and knows the instances, its workers serve the
 * connections that it passes on. While no worker can, it answers Kong itself, and refuses every request with 503.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #registry: InstanceRegistry;
  readonly #reports = new Map<number, (report: unknown) => void>();
  readonly #pool: WorkerPool;
  readonly #refuser: PluginHost;
  readonly #expiry: NodeJS.Timeout;
  #listener: SocketListener | undefined;
  #requests = 0;

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#registry = new InstanceRegistry({ idleMs: options.instanceIdleMs });
    this.#refuser = new PluginHost({ ...options, maxEvents: 0, instances: this.#directory() });
    this.#pool = new WorkerPool({
      count: options.workers,
      logger: options.logger,
      records: () => this.#registry.records(),
      onMessage: (worker, message) => this.#onMessage(worker, message),
      onUnserved: (socket) => this.#refuse(socket),
    });
    this.#expiry = setInterval(() => this.#expire(), EXPIRY_INTERVAL_MS);
  }

  /** @throws ListenError when the socket cannot be opened. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    await assertSocketFree(options.socketPath, options.takeover);
    const supervisor = new Supervisor(options);
    try {
      // Before the socket is there, so that a server whose place is taken works on until now.
      await supervisor.#pool.allReady(READY_MS);
      supervisor.#listener = await SocketListener.listen({
        path: options.socketPath,
        takeover: options.takeover,
        mode: options.socketMode,
        onError: acceptErrorLog(options.logger),
        pauseOnConnect: true,
        onConnection: (socket) => supervisor.#pool.assign(socket),
      });
    } catch (error) {
      await supervisor.stop(0);
      throw error;
    }
    return supervisor;
  }

  get pids(): number[] {
    return this.#pool.workers.flatMap((worker) => worker.pid ?? []);
  }

  /** What each worker's `report` gives; workers that do not answer at once are left out. */
  async reports(): Promise<unknown[]> {
    const answers = this.#pool.workers
      .filter((worker) => worker.ready)
      .map((worker) => this.#askReport(worker));
    const reports = await Promise.all(answers);
    return reports.filter((report) => report !== undefined);
  }

  /** Stops accepting and ends the workers when their events are over, after `graceMs` at the latest. */
  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#expiry);
    await this.#listener?.close();
    await Promise.all([this.#pool.stop(graceMs), this.#refuser.drain(graceMs)]);
  }

  #onMessage(worker: WorkerProcess, message: ToParent): void {
    switch (message.type) {
      case 'used':
        for (const id of message.ids) this.#registry.touch(id);
        return;
      case 'close':
        this.#drop(message.id);
        return;
      case 'report': {
        const resolve = this.#reports.get(message.request);
        this.#reports.delete(message.request);
        resolve?.(message.report);
        return;
      }
      case 'start':
      case 'find':
      case 'restart':
        worker.tell({ type: 'answer', request: message.request, result: this.#answer(message) });
    }
  }

  #answer(message: Extract<ToParent, { type: 'start' | 'find' | 'restart' }>): Answer {
    if (message.type === 'start') return { record: this.#startInstance(message.name, message.config) };
    if (message.type === 'find') {
      const record = this.#registry.get(message.id);
      return record === undefined ? {} : { record };
    }
    const granted = this.#registry.claimRestart(message.id);
    if (granted) this.#pool.tellAll({ type: 'drop', id: message.id });
    return { granted };
  }

  /** All workers build it at once; one that meets its id before it is told asks for it. */
  #startInstance(name: string, config: string): InstanceRecord {
    const record = this.#registry.create(name, config);
    this.#pool.tellAll({ type: 'instance', record });
    return record;
  }

  #drop(id: number): void {
    this.#registry.remove(id);
    this.#pool.tellAll({ type: 'drop', id });
  }

  #expire(): void {
    const ids = this.#registry.expire();
    for (const id of ids) this.#pool.tellAll({ type: 'drop', id });
    if (ids.length > 0) {
      this.#options.logger.info(
        { event: 'instances_expired', count: ids.length },
        'instances without use were dropped',
      );
    }
  }

  #refuse(socket: Socket): void {
    this.#refuser.accept(socket);
    // It was accepted unread, to be passed on.
    socket.resume();
  }

  #askReport(worker: WorkerProcess): Promise<unknown> {
    const request = ++this.#requests;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#reports.delete(request);
        resolve(undefined);
      }, REPORT_MS);
      this.#reports.set(request, (report) => {
        clearTimeout(timer);
        resolve(report);
      });
      worker.tell({ type: 'report', request });
    });
  }

  /** Instances can be started without workers; there is no plugin object here to serve them. */
  #directory(): InstanceDirectory {
    const names = new Set(this.#options.plugins.map((plugin) => plugin.Name));
    return {
      start: async (name, config) => {
        if (!names.has(name)) throw new Error(`there is no plugin ${JSON.stringify(name)} here`);
        return this.#startInstance(name, config);
      },
      get: (): Instance | undefined => undefined,
      find: async () => undefined,
      close: (id) => this.#drop(id),
      claimRestart: async () => false,
    };
  }
}
