import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { isSea } from 'node:sea';
import type { InstanceRecord } from '../instance.js';
import type { ToParent, ToWorker } from './messages.js';

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

  get ended(): boolean {
    return this.#ended;
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
