import type { Instance, InstanceRecord } from '../instance.js';
import { RESTART_INTERVAL_MS } from '../instance-registry.js';
import type { InstanceDirectory, InstanceTable } from '../instances.js';
import type { ParentLink } from './parent-link.js';

/** Instances as a worker sees them: the parent decides which there are, the worker holds their plugin objects. */
export class WorkerInstances implements InstanceDirectory {
  readonly #table: InstanceTable;
  readonly #link: ParentLink;
  readonly #used = new Set<number>();
  /** When the parent last said no to a restart. */
  readonly #deniedAt = new Map<number, number>();

  constructor(table: InstanceTable, link: ParentLink) {
    this.#table = table;
    this.#link = link;
  }

  async start(name: string, config: string): Promise<InstanceRecord> {
    if (!this.#table.has(name)) throw new Error(`there is no plugin ${JSON.stringify(name)} here`);
    const { record } = await this.#link.ask({ type: 'start', name, config });
    if (record === undefined) throw new Error('the parent process started no instance');
    this.#table.add(record);
    return record;
  }

  get(id: number): Instance | undefined {
    this.#used.add(id);
    return this.#table.get(id);
  }

  async find(id: number): Promise<Instance | undefined> {
    const { record } = await this.#link.ask({ type: 'find', id });
    return record === undefined ? undefined : this.#table.add(record);
  }

  close(id: number): void {
    this.#deniedAt.delete(id);
    this.#table.remove(id);
    this.#link.tell({ type: 'close', id });
  }

  /** A guess: the parent has the last word. */
  mayRestart(id: number): boolean {
    const denied = this.#deniedAt.get(id) ?? Number.NEGATIVE_INFINITY;
    return this.#table.get(id) !== undefined && performance.now() - denied >= RESTART_INTERVAL_MS;
  }

  async claimRestart(id: number): Promise<boolean> {
    const { granted = false } = await this.#link.ask({ type: 'restart', id });
    if (!granted) this.#deniedAt.set(id, performance.now());
    return granted;
  }

  /** Ids that events named since the last call. */
  takeUsed(): number[] {
    const ids = [...this.#used];
    this.#used.clear();
    return ids;
  }
}
