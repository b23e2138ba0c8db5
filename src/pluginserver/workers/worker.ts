import { Socket } from 'node:net';
import type { InstanceDirectory, InstanceRecord } from '../instance-registry.js';
import { InstanceTable } from '../instances.js';
import type { HostLimits } from '../options.js';
import { PluginHost } from '../plugin-host.js';
import type { PluginModule } from '../plugin-module.js';
import type { Answer, Question, ToParent, ToWorker } from './messages.js';

const GONE = 'the parent process has exited';

/** A worker's end of the channel to its parent, which decides which instances there are. */
class ParentLink implements InstanceDirectory {
  readonly #pending = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  #requests = 0;
  #gone = false;

  /** Starts to listen. `onMessage` gets what is not an answer; `onGone` is called once when the parent has exited. */
  constructor(onMessage: (message: ToWorker, handle: unknown) => void, onGone: () => void) {
    process.on('message', (message: ToWorker, handle: unknown) => {
      if (message.type === 'answer') {
        this.#pending.get(message.request)?.resolve(message.result);
        this.#pending.delete(message.request);
      } else onMessage(message, handle);
    });
    process.on('disconnect', () => {
      this.#gone = true;
      for (const { reject } of this.#pending.values()) reject(new Error(GONE));
      this.#pending.clear();
      onGone();
    });
  }

  tell(message: ToParent): void {
    // A send error means that the parent is gone, which `disconnect` reports.
    if (!this.#gone) process.send?.(message, undefined, {}, () => {});
  }

  async start(name: string, config: string): Promise<InstanceRecord> {
    const { record } = await this.#ask({ type: 'start', name, config });
    if (record === undefined) throw new Error('the parent process started no instance');
    return record;
  }

  async find(id: number): Promise<void> {
    await this.#ask({ type: 'find', id });
  }

  close(id: number): void {
    this.tell({ type: 'close', id });
  }

  async claimRestart(id: number): Promise<boolean> {
    const { granted } = await this.#ask({ type: 'restart', id });
    return granted === true;
  }

  /** @throws Error when the parent has exited. */
  #ask(question: Question): Promise<Answer> {
    if (this.#gone) return Promise.reject(new Error(GONE));
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(request, { resolve, reject });
      this.tell({ ...question, request });
    });
  }
}

export interface WorkerOptions extends HostLimits {
  readonly plugins: readonly PluginModule[];
  /** Time for events in flight when the parent has exited unexpectedly, milliseconds. */
  readonly graceMs: number;
  /** What the parent collects from its workers, for example metrics. */
  readonly report?: (host: PluginHost) => unknown;
  readonly onServing?: (host: PluginHost) => void;
}

const USE_REPORT_MS = 60_000;

/** Serves the connections that the parent passes on, until it says that this is enough. @returns the exit code. */
export async function runWorker(options: WorkerOptions): Promise<number> {
  let exit: (code: number) => void = () => {};
  const exited = new Promise<number>((resolve) => {
    exit = resolve;
  });
  const instances = new InstanceTable(options.plugins, options.logger);
  const link = new ParentLink(onMessage, () => drain(options.graceMs));
  const host = new PluginHost({ ...options, instances, directory: link });

  function onMessage(message: ToWorker, handle: unknown): void {
    if (message.type === 'instances') {
      for (const record of message.records) instances.add(record);
      link.tell({ type: 'ready' });
      options.onServing?.(host);
    } else if (message.type === 'instance') instances.add(message.record);
    else if (message.type === 'drop') instances.remove(message.id);
    else if (message.type === 'connection') accept(handle, message.connection);
    else if (message.type === 'ping') link.tell({ type: 'alive' });
    else if (message.type === 'drain') drain(message.graceMs);
    else if (message.type === 'report') void report(message.request);
  }

  function accept(handle: unknown, connection: number): void {
    const closed = (): void => link.tell({ type: 'closed', connection });
    if (handle instanceof Socket) host.accept(handle.once('close', closed));
    // Kong has closed it already.
    else closed();
  }

  async function report(request: number): Promise<void> {
    const value = await Promise.resolve(options.report?.(host)).catch(() => undefined);
    link.tell({ type: 'report', request, report: value });
  }

  function drain(graceMs: number): void {
    if (!host.draining) void host.drain(graceMs).then(() => exit(0));
  }

  // Signals to a whole process group reach the parent, too: it ends its workers in order.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => drain(options.graceMs));
  const timer = setInterval(() => link.tell({ type: 'used', ids: instances.takeUsed() }), USE_REPORT_MS);
  // The parent may have exited while this process started, before anything listened.
  if (!process.connected) drain(options.graceMs);
  try {
    return await exited;
  } finally {
    clearInterval(timer);
    if (process.connected) process.disconnect();
  }
}
