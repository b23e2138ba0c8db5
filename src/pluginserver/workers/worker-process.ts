import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { isSea } from 'node:sea';
import type { ToParent, ToWorker } from './messages.js';

/** How long Kong may take to close its half of a connection whose worker is gone. */
const LINGER_MS = 5_000;
const REPORT_MS = 1_000;
/** Marks a process as a worker of this server; see {@link isWorkerProcess}. */
const WORKER_VARIABLE = 'PLUGINSERVER_WORKER';

/** Whether this process was started by a {@link WorkerProcess}. */
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
  readonly startedAt = performance.now();
  ready = false;
  /** When the worker last said that it is alive; milliseconds of a clock that never jumps. */
  aliveAt = this.startedAt;
  readonly #child: ChildProcess;
  /** What was passed to it and is not closed yet. A copy of each stays open here, for the case that the worker dies. */
  readonly #connections = new Map<number, Socket>();
  #lastConnection = 0;
  #lastReport = 0;
  #exited = false;

  /** @param onExit the process has exited, or could not be started */
  constructor(
    onMessage: (message: ToParent) => void,
    onExit: (code: number | null, signal: NodeJS.Signals | null) => void,
  ) {
    const env = { ...process.env, [WORKER_VARIABLE]: '1' };
    this.#child = spawn(process.execPath, ownArguments(), {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: ToParent) => {
      if (message.type === 'closed') this.#take(message.connection)?.destroy();
      else onMessage(message);
    });
    const exit = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (this.#exited) return;
      this.#exited = true;
      this.ready = false;
      onExit(code, signal);
      for (const connection of [...this.#connections.keys()]) this.#giveUp(connection);
    };
    this.#child.on('exit', exit);
    this.#child.on('error', () => {
      if (this.#child.pid === undefined) exit(null, null);
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
    // A worker that cannot be told is about to be reported as exited.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /** What the worker's `report` gives; undefined when it does not answer at once. */
  report(): Promise<unknown> {
    const request = ++this.#lastReport;
    return new Promise((resolve) => {
      const onMessage = (message: ToParent): void => {
        if (message.type === 'report' && message.request === request) end(message.report);
      };
      const end = (report?: unknown): void => {
        clearTimeout(timer);
        this.#child.off('message', onMessage);
        resolve(report);
      };
      const timer = setTimeout(end, REPORT_MS);
      this.#child.on('message', onMessage);
      this.tell({ type: 'report', request });
    });
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

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /**
   * Closes a connection whose worker is gone. Only the direction to Kong: Kong reads the end of the stream and tries again. Were
   * the direction from Kong closed as well, a request that Kong is about to send would fail, and when that is a StartInstance,
   * Kong serves no request of the configuration for 10 s.
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
}
