import { Socket } from 'node:net';
import type { InstanceRecord } from '../instance-registry.js';
import { type Instance, type InstanceDirectory, InstanceTable } from '../instances.js';
import { type HostOptions, PluginHost } from '../plugin-host.js';
import type { PluginModule } from '../plugin-module.js';
import type { Answer, ToParent, ToWorker } from './messages.js';

type Question =
  | Omit<Extract<ToParent, { type: 'start' }>, 'request'>
  | Omit<Extract<ToParent, { type: 'find' }>, 'request'>
  | Omit<Extract<ToParent, { type: 'restart' }>, 'request'>;

/** A worker's end of the channel to its parent. */
class ParentLink {
  readonly #pending = new Map<
    number,
    { onAnswer: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  #requests = 0;
  #gone = false;

  /** Starts to listen. `onMessage` gets what is not an answer; `onGone` is called once when the parent has ended. */
  constructor(onMessage: (message: ToWorker, handle: unknown) => void, onGone: () => void) {
    process.on('message', (message: ToWorker, handle: unknown) => {
      if (message.type === 'answer') this.#answer(message.request, message.result);
      else onMessage(message, handle);
    });
    process.on('disconnect', () => {
      this.#gone = true;
      for (const { reject } of this.#pending.values()) reject(new Error('the parent process has exited'));
      this.#pending.clear();
      onGone();
    });
  }

  tell(message: ToParent): void {
    // A send error means that the parent is gone, which `disconnect` reports.
    if (!this.#gone) process.send?.(message, undefined, {}, () => {});
  }

  /**
   * @param use gets the answer before the parent's next message is handled: that message may take back what the answer says
   * @throws Error when the parent has ended.
   */
  ask<T>(question: Question, use: (answer: Answer) => T): Promise<T> {
    if (this.#gone) return Promise.reject(new Error('the parent process has exited'));
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(request, { onAnswer: (answer) => resolve(use(answer)), reject });
      this.tell({ ...question, request });
    });
  }

  #answer(request: number, answer: Answer): void {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    pending?.onAnswer(answer);
  }
}

/** Instances as a worker sees them: the parent decides which there are, the worker holds their plugin objects. */
class WorkerInstances implements InstanceDirectory {
  readonly #table: InstanceTable;
  readonly #link: ParentLink;

  constructor(table: InstanceTable, link: ParentLink) {
    this.#table = table;
    this.#link = link;
  }

  async start(name: string, config: string): Promise<InstanceRecord> {
    this.#table.module(name);
    // The parent has announced it to all workers before it answers.
    const record = await this.#link.ask({ type: 'start', name, config }, (answer) => answer.record);
    if (record === undefined) throw new Error('the parent process started no instance');
    return record;
  }

  get(id: number): Instance | undefined {
    return this.#table.use(id);
  }

  async find(id: number): Promise<Instance | undefined> {
    await this.#link.ask({ type: 'find', id }, ({ record }) => {
      if (record !== undefined) this.#table.add(record);
    });
    // Unless it was dropped meanwhile.
    return this.#table.use(id);
  }

  close(id: number): void {
    this.#table.remove(id);
    this.#link.tell({ type: 'close', id });
  }

  claimRestart(id: number): Promise<boolean> {
    return this.#link.ask({ type: 'restart', id }, (answer) => answer.granted === true);
  }
}

export interface WorkerOptions extends Omit<HostOptions, 'instances'> {
  readonly plugins: readonly PluginModule[];
  /** Time for events in flight when the parent has ended without a word, milliseconds. */
  readonly graceMs: number;
  /** What the parent collects from its workers, for example metrics. */
  readonly report?: (host: PluginHost) => unknown;
  readonly onServing?: (host: PluginHost) => void;
}

const USE_REPORT_MS = 60_000;

/** Serves the connections that the parent passes on, until it says that this is enough. @returns the exit code. */
export async function runWorker(options: WorkerOptions): Promise<number> {
  const { logger, plugins } = options;
  let end: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const table = new InstanceTable(plugins, logger);
  const link = new ParentLink(onMessage, () => drain(options.graceMs));
  const instances = new WorkerInstances(table, link);
  const host = new PluginHost({ ...options, instances });
  let draining = false;

  function onMessage(message: ToWorker, handle: unknown): void {
    switch (message.type) {
      case 'instances':
        for (const record of message.records) table.add(record);
        link.tell({ type: 'ready' });
        options.onServing?.(host);
        return;
      case 'instance':
        table.add(message.record);
        return;
      case 'drop':
        table.remove(message.id);
        return;
      case 'connection':
        accept(handle, message.connection);
        return;
      case 'ping':
        link.tell({ type: 'alive' });
        return;
      case 'drain':
        drain(message.graceMs);
        return;
      case 'report':
        report(message.request);
        return;
    }
  }

  function accept(handle: unknown, connection: number): void {
    const closed = (): void => link.tell({ type: 'closed', connection });
    if (handle instanceof Socket) host.accept(handle.once('close', closed));
    // Kong closed it on the way.
    else closed();
  }

  function report(request: number): void {
    const send = (value: unknown): void => link.tell({ type: 'report', request, report: value });
    Promise.resolve(options.report?.(host)).then(send, () => send(undefined));
  }

  function drain(graceMs: number): void {
    if (draining) return;
    draining = true;
    void host.drain(graceMs).then(() => end(0));
  }

  // Signals to a whole process group reach the parent, too: it ends its workers in order.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => drain(options.graceMs));
  const timer = setInterval(() => link.tell({ type: 'used', ids: table.takeUsed() }), USE_REPORT_MS);
  try {
    return await ended;
  } finally {
    clearInterval(timer);
    if (process.connected) process.disconnect();
  }
}
