import type { WorkerProcess } from './worker-process.js';

/** Waits until every worker has said that it knows an instance. */
export class Acknowledgements {
  readonly #waiting = new Map<number, { readonly workers: Set<WorkerProcess>; readonly done: () => void }>();

  /** Resolves when all of `workers` have acknowledged `id`, and after `timeoutMs` at the latest. */
  wait(id: number, workers: readonly WorkerProcess[], timeoutMs: number): Promise<void> {
    const missing = new Set(workers.filter((worker) => worker.ready));
    if (missing.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve();
      };
      this.#waiting.set(id, { workers: missing, done });
    });
  }

  acknowledge(worker: WorkerProcess, id: number): void {
    const waiting = this.#waiting.get(id);
    waiting?.workers.delete(worker);
    if (waiting?.workers.size === 0) waiting.done();
  }

  /** A worker has ended: nothing waits for it any more. */
  forget(worker: WorkerProcess): void {
    for (const id of [...this.#waiting.keys()]) this.acknowledge(worker, id);
  }
}
