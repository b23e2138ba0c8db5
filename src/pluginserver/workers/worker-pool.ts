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
/** While no other worker serves, every request is refused: then the wait is no longer than Kong's own for a server that died. */
const LAST_ALONE_MS = 1_000;
/** How long Kong may take to close its half of a connection whose worker is gone. */
const LINGER_MS = 5_000;
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
    }
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
      if (now - worker.aliveAt > STUCK_MS) {
        this.#options.logger.error(
          { event: 'worker_stuck', worker: worker.pid },
          'worker does not respond: it is killed',
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
  /** When the worker last said that it is alive; milliseconds of a clock that never jumps. */
  aliveAt = performance.now();
  readonly #child: ChildProcess;
  /** What was passed to it and is not closed yet. A copy of each stays open here, for the case that the worker dies. */
  readonly #connections = new Map<number, Socket>();
  #lastConnection = 0;
  #ended = false;

  constructor(events: WorkerProcessEvents) {
    const env = { ...process.env, [WORKER_VARIABLE]: '1' };
    this.#child = spawn(process.execPath, ownArguments(), {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: ToParent) => {
      if (message.type === 'closed') this.#take(message.connection)?.destroy();
      else events.onMessage(this, message);
    });
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.ready = false;
      events.onEnd(this, code, signal);
      for (const connection of [...this.#connections.keys()]) this.#giveUp(connection);
    };
    this.#child.on('exit', end);
    this.#child.on('error', () => {
      if (this.#child.pid === undefined) end(null, null);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How many connections it has. */
  get connections(): number {
    return this.#connections.size;
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

  /** Passes a connection on, unread. */
  pass(socket: Socket): void {
    const connection = ++this.#lastConnection;
    this.#connections.set(connection, socket);
    const message: ToWorker = { type: 'connection', connection };
    this.#child.send(message, socket, { keepOpen: true }, (error) => {
      if (error !== null) this.#giveUp(connection);
    });
  }

  /**
   * Closes a connection whose worker is gone. Only the way to Kong: Kong reads the end of the stream and tries again. Were the
   * way from Kong closed as well, a request that Kong is about to send would fail, and when that is a StartInstance, Kong serves
   * no request of the configuration for 10 s.
   */
  #giveUp(connection: number): void {
    const socket = this.#take(connection);
    if (socket === undefined) return;
    socket.end();
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  #take(connection: number): Socket | undefined {
    const socket = this.#connections.get(connection);
    this.#connections.delete(connection);
    return socket;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
