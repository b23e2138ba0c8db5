import type { Socket } from 'node:net';
import { InstanceRegistry } from '../instance-registry.js';
import { InstanceTable } from '../instances.js';
import type { PluginServerOptions } from '../options.js';
import { PluginHost } from '../plugin-host.js';
import { assertSocketFree, SocketListener } from '../socket-listener.js';
import type { Answer, Question, ToParent } from './messages.js';
import { WorkerPool } from './worker-pool.js';
import type { WorkerProcess } from './worker-process.js';

export interface SupervisorOptions extends PluginServerOptions {
  readonly workers: number;
}

const EXPIRY_INTERVAL_MS = 60_000;
/** After this time the socket is opened whether the workers are ready or not. */
const READY_MS = 10_000;

/**
 * The parent of a server with several processes: it owns the socket and knows the instances, its workers serve the
 * connections that it passes on. While no worker can, it answers Kong itself, and refuses every request with 503.
 */
export class Supervisor {
  readonly #registry: InstanceRegistry;
  readonly #pool: WorkerPool;
  readonly #refuser: PluginHost;
  readonly #expiry: NodeJS.Timeout;
  #listener: SocketListener | undefined;

  private constructor(options: SupervisorOptions) {
    const { plugins, logger, instanceIdleMs } = options;
    // All workers build an instance at once; one that meets its id before it is told asks for it.
    this.#registry = new InstanceRegistry(
      { idleMs: instanceIdleMs, logger },
      {
        add: (record) => this.#pool.tellAll({ type: 'instance', record }),
        remove: (id) => this.#pool.tellAll({ type: 'drop', id }),
      },
    );
    // There are no plugin objects here.
    const instances = new InstanceTable(plugins, logger);
    this.#refuser = new PluginHost({ ...options, maxEvents: 0, instances, directory: this.#registry });
    this.#pool = new WorkerPool({
      count: options.workers,
      logger,
      records: () => this.#registry.records(),
      onMessage: (worker, message) => this.#onMessage(worker, message),
      onUnserved: (socket) => this.#refuse(socket),
    });
    this.#expiry = setInterval(() => this.#registry.expire(), EXPIRY_INTERVAL_MS);
  }

  /** @throws ListenError when the socket cannot be opened. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    await assertSocketFree(options.socketPath, options.takeover);
    const supervisor = new Supervisor(options);
    try {
      // Before the socket is there, so that a server whose place is taken works on until now.
      await supervisor.#pool.allReady(READY_MS);
      supervisor.#listener = await SocketListener.listen(
        options,
        (socket) => supervisor.#pool.assign(socket),
        true,
      );
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
    const ready = this.#pool.workers.filter((worker) => worker.ready);
    const reports = await Promise.all(ready.map((worker) => worker.report()));
    return reports.filter((report) => report !== undefined);
  }

  /** Stops accepting and ends the workers when their events are over, after `graceMs` at the latest. */
  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#expiry);
    await this.#listener?.close();
    await Promise.all([this.#pool.stop(graceMs), this.#refuser.drain(graceMs)]);
  }

  #onMessage(worker: WorkerProcess, message: ToParent): void {
    if (message.type === 'used') for (const id of message.ids) this.#registry.touch(id);
    else if (message.type === 'close') this.#registry.close(message.id);
    else if (message.type === 'start' || message.type === 'find' || message.type === 'restart')
      worker.tell({ type: 'answer', request: message.request, result: this.#answer(worker, message) });
  }

  #answer(worker: WorkerProcess, question: Question): Answer {
    if (question.type === 'start') return { record: this.#registry.start(question.name, question.config) };
    if (question.type === 'restart') return { granted: this.#registry.claimRestart(question.id) };
    // Before the answer: what is told after it may take the instance back.
    const record = this.#registry.get(question.id);
    if (record !== undefined) worker.tell({ type: 'instance', record });
    return {};
  }

  #refuse(socket: Socket): void {
    this.#refuser.accept(socket);
    // It was accepted unread, to be passed on.
    socket.resume();
  }
}
