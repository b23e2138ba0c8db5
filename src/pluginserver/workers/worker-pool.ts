import type { Socket } from 'node:net';
import type { InstanceRecord } from '../instance-registry.js';
import type { ServerLogger } from '../options.js';
import type { ToParent, ToWorker } from './messages.js';
import { WorkerProcess } from './worker-process.js';

export interface PoolOptions {
  readonly count: number;
  readonly logger: ServerLogger;
  /** Instances that a new worker has to know. */
  readonly records: () => readonly InstanceRecord[];
  readonly onMessage: (worker: WorkerProcess, message: ToParent) => void;
  /** No worker can take this connection. */
  readonly onUnserved: (socket: Socket) => void;
}

const PING_MS = 1_000;
/** A worker silent for so long gets no new connections … */
const SLOW_MS = 3_000;
/** … and after this time it is taken for stuck and killed; Kong runs its events again. */
const STUCK_MS = 15_000;
const FIRST_BACK_OFF_MS = 100;
const LAST_BACK_OFF_MS = 10_000;
/** While no other worker serves, every request is refused: then the wait is no longer than Kong's own for a server that died. */
const LAST_ALONE_MS = 1_000;
/** A worker that lived for so long has shown that it works. */
const STABLE_MS = 30_000;

/** Keeps the wanted number of workers alive and spreads connections over them. */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #workers = new Set<WorkerProcess>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #ping: NodeJS.Timeout;
  #backOffMs = 0;
  #stopping = false;
  #whenEmpty: () => void = () => {};
  #whenReady: () => void = () => {};
  #checkedAt = performance.now();

  constructor(options: PoolOptions) {
    this.#options = options;
    for (let i = 0; i < options.count; i++) this.#start();
    this.#ping = setInterval(() => this.#checkHealth(), PING_MS);
  }

  /** Workers that serve, or are about to. */
  get workers(): readonly WorkerProcess[] {
    return [...this.#workers];
  }

  /** Resolves when all workers are ready, and after `timeoutMs` at the latest. */
  async allReady(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#whenReady = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Passes a connection to the worker with the fewest. */
  assign(socket: Socket): void {
    const slow = performance.now() - SLOW_MS;
    const [best] = this.workers
      .filter((worker) => worker.serving && worker.aliveAt >= slow)
      .sort((a, b) => a.connections - b.connections);
    if (best === undefined) this.#options.onUnserved(socket);
    else best.pass(socket);
  }

  tellAll(message: ToWorker): void {
    for (const worker of this.#workers) worker.tell(message);
  }

  /** Ends the workers; those that need longer than `graceMs` are killed a second later. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#ping);
    for (const timer of this.#restarts) clearTimeout(timer);
    if (this.#workers.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    this.tellAll({ type: 'drain', graceMs });
    const timer = setTimeout(() => {
      for (const worker of this.#workers) worker.kill();
    }, graceMs + 1_000);
    await empty;
    clearTimeout(timer);
  }

  #start(): void {
    const worker: WorkerProcess = new WorkerProcess(
      (message) => this.#onMessage(worker, message),
      (code, signal) => this.#onExit(worker, code, signal),
    );
    this.#workers.add(worker);
    worker.tell({ type: 'instances', records: this.#options.records() });
  }

  #onMessage(worker: WorkerProcess, message: ToParent): void {
    worker.aliveAt = performance.now();
    if (message.type === 'ready') {
      worker.ready = true;
      this.#options.logger.info({ event: 'worker_ready', worker: worker.pid }, 'worker is ready');
      if (this.workers.filter((one) => one.ready).length >= this.#options.count) this.#whenReady();
    }
    this.#options.onMessage(worker, message);
  }

  #onExit(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void {
    this.#workers.delete(worker);
    if (this.#stopping) {
      if (this.#workers.size === 0) this.#whenEmpty();
      return;
    }
    const isStable = performance.now() - worker.startedAt >= STABLE_MS;
    this.#backOffMs = isStable
      ? 0
      : Math.min(Math.max(2 * this.#backOffMs, FIRST_BACK_OFF_MS), LAST_BACK_OFF_MS);
    const isAlone = !this.workers.some((other) => other.serving);
    const backOffMs = Math.min(this.#backOffMs, isAlone ? LAST_ALONE_MS : LAST_BACK_OFF_MS);
    const fields = { event: 'worker_ended', worker: worker.pid, code, signal, backOffMs };
    this.#options.logger.error(fields, 'worker exited: another one is started');
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#start();
    }, backOffMs);
    this.#restarts.add(timer);
  }

  #checkHealth(): void {
    const now = performance.now();
    // After a pause of this process itself (SIGSTOP, a machine asleep) nothing is known about the workers.
    const paused = now - this.#checkedAt > SLOW_MS;
    this.#checkedAt = now;
    for (const worker of this.#workers) {
      if (paused) worker.aliveAt = now;
      if (now - worker.aliveAt <= STUCK_MS) worker.tell({ type: 'ping' });
      else {
        const fields = { event: 'worker_stuck', worker: worker.pid };
        this.#options.logger.error(fields, 'worker does not respond: it is killed');
        worker.kill();
      }
    }
  }
}
