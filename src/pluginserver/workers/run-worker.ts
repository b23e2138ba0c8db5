import { Socket } from 'node:net';
import { InstanceTable } from '../instances.js';
import { type HostOptions, PluginHost } from '../plugin-host.js';
import { catchStrays } from '../stray-errors.js';
import type { ToWorker } from './messages.js';
import { ParentLink } from './parent-link.js';
import { WorkerInstances } from './worker-instances.js';

export interface WorkerOptions extends Omit<HostOptions, 'instances'> {
  /** Time for events in flight when the parent has ended without a word, milliseconds. */
  readonly graceMs: number;
  /** What the parent collects from its workers, for example metrics. */
  readonly report?: (host: PluginHost) => unknown;
}

const USE_REPORT_MS = 60_000;

/** Serves the connections that the parent passes on, until it says that this is enough. @returns the exit code. */
export async function runWorker(options: WorkerOptions): Promise<number> {
  const { logger, plugins } = options;
  catchStrays(logger);
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
        return;
      case 'instance':
        table.add(message.record);
        link.tell({ type: 'has_instance', id: message.record.id });
        return;
      case 'drop':
        table.remove(message.id);
        return;
      case 'connection':
        // Missing when Kong closed it on the way.
        if (handle instanceof Socket) host.accept(handle);
        return;
      case 'ping':
        link.tell({ type: 'alive', connections: host.connections });
        return;
      case 'drain':
        drain(message.graceMs);
        return;
      case 'report':
        report(message.request);
        return;
    }
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
  const timer = setInterval(() => link.tell({ type: 'used', ids: instances.takeUsed() }), USE_REPORT_MS);
  try {
    return await ended;
  } finally {
    clearInterval(timer);
    if (process.connected) process.disconnect();
  }
}
