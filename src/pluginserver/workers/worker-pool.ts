import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { isSea } from 'node:sea';
import type { InstanceRecord } from '../instance-registry.js';
import type { ServerLogger } from '../options.js';
import type { ToParent, ToWorker } from './messages.js';

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
/** … and after this time it is taken for stuck and ended; Kong runs its events again. */
const STUCK_MS = 15_000;
const FIRST_BACK_OFF_MS = 100;
const LAST_BACK_OFF_MS = 10_000;
/** A worker that lived for so long has shown that it works. */
const STABLE_MS = 30_000;

/** Keeps the wanted number of workers alive and spreads connections over them. */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #workers = new Set<WorkerProcess>();
  readonly #startedAt = new Map<WorkerProcess, number>();
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
    let best: WorkerProcess | undefined;
    for (const worker of this.#workers) {
      if (!worker.serving || worker.aliveAt < slow) continue;
      if (best === undefined || worker.connections < best.connections) best = worker;
    }
    if (best === undefined) this.#options.onUnserved(socket);
    else best.pass(socket, (unserved) => this.assign(unserved));
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
    const worker = new WorkerProcess({
      onMessage: (sender, message) => this.#onMessage(sender, message),
      onEnd: (ended, code, signal) => this.#onEnd(ended, code, signal),
    });
    this.#workers.add(worker);
    this.#startedAt.set(worker, performance.now());
    worker.introduce(this.#options.records());
  }

  #onMessage(worker: WorkerProcess, message: ToParent): void {
    worker.aliveAt = performance.now();
    if (message.type === 'ready') {
      worker.ready = true;
      this.#options.logger.info({ event: 'worker_ready', worker: worker.pid }, 'worker is ready');
      if (this.workers.filter((one) => one.ready).length >= this.#options.count) this.#whenReady();
    } else if (message.type === 'alive') worker.connections = message.connections;
    this.#options.onMessage(worker, message);
  }

  #onEnd(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void {
    this.#workers.delete(worker);
    const livedMs = performance.now() - (this.#startedAt.get(worker) ?? 0);
    this.#startedAt.delete(worker);
    if (this.#stopping) {
      if (this.#workers.size === 0) this.#whenEmpty();
      return;
    }
    this.#backOffMs =
      livedMs >= STABLE_MS ? 0 : Math.min(Math.max(2 * this.#backOffMs, FIRST_BACK_OFF_MS), LAST_BACK_OFF_MS);
    const fields = { event: 'worker_ended', worker: worker.pid, code, signal, backOffMs: this.#backOffMs };
    this.#options.logger.error(fields, 'worker ended: another one is started');
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#start();
    }, this.#backOffMs);
    this.#restarts.add(timer);
  }

  #checkHealth(): void {
    const now = performance.now();
    // After a pause of this process itself (SIGSTOP, a machine asleep) nothing is known about the workers.
    const paused = now - this.#checkedAt > SLOW_MS;
    this.#checkedAt = now;
    for (const worker of this.#workers) {
      if (paused) worker.aliveAt = now;
      if (now - worker.aliveAt > STUCK_MS) {
        this.#options.logger.error(
          { event: 'worker_stuck', worker: worker.pid },
          'worker does not react: it is killed',
        );
        worker.kill();
      } else worker.tell({ type: 'ping' });
    }
  }
}

export interface WorkerProcessEvents {
  onMessage(worker: WorkerProcess, message: ToParent): void;
  /** The process has ended, or could not be started. */
  onEnd(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void;
}

/** Marks a process as a worker of this server; see {@link isWorkerProcess}. */
const WORKER_VARIABLE = 'PLUGINSERVER_WORKER';

/** Whether this process was forked by a {@link WorkerProcess}. */
export function isWorkerProcess(): boolean {
  return process.env[WORKER_VARIABLE] === '1' && process.send !== undefined;
}

/** What makes Node run this executable with its own arguments. A single executable application takes no script. */
function ownArguments(): string[] {
  const [, script = '', ...rest] = process.argv;
  return isSea() ? rest : [...process.execArgv, script, ...rest];
}

/** The parent's view of one worker: this executable once more, with the same arguments. */
export class WorkerProcess {
  ready = false;
  /** As far as the parent knows: what the worker reported, and what was passed to it since. */
  connections = 0;
  /** When the worker last said that it is alive; milliseconds of a clock that never jumps. */
  aliveAt = performance.now();
  readonly #child: ChildProcess;
  /** Connections that were not yet written to the channel: a channel takes one after the other. */
  readonly #passing = new Map<Socket, (socket: Socket) => void>();
  #ended = false;

  constructor(events: WorkerProcessEvents) {
    const env = { ...process.env, [WORKER_VARIABLE]: '1' };
    this.#child = spawn(process.execPath, ownArguments(), {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: ToParent) => events.onMessage(this, message));
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.ready = false;
      events.onEnd(this, code, signal);
      for (const [socket, onFailure] of [...this.#passing]) this.#failed(socket, onFailure);
    };
    this.#child.on('exit', end);
    this.#child.on('error', () => {
      if (this.#child.pid === undefined) end(null, null);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether connections can be passed to it. */
  get serving(): boolean {
    return this.ready && this.#child.connected;
  }

  tell(message: ToWorker): void {
    // A worker that cannot be told is about to be reported as ended.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  introduce(records: readonly InstanceRecord[]): void {
    this.tell({ type: 'instances', records });
  }

  /** Passes a connection on. `onFailure` gets it back when the worker is gone. */
  pass(socket: Socket, onFailure: (socket: Socket) => void): void {
    if (!this.#child.connected) {
      onFailure(socket);
      return;
    }
    this.connections++;
    this.#passing.set(socket, onFailure);
    const message: ToWorker = { type: 'connection' };
    this.#child.send(message, socket, (error) => {
      if (error === null) this.#passing.delete(socket);
      else this.#failed(socket, onFailure);
    });
  }

  #failed(socket: Socket, onFailure: (socket: Socket) => void): void {
    if (!this.#passing.delete(socket)) return;
    // Node takes the handle away when it starts to send it; without one the connection is lost, and Kong sees it close.
    if (Reflect.get(socket, '_handle') === null) socket.destroy();
    else onFailure(socket);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
