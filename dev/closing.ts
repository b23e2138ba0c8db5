import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Things to close, last opened first; one that fails does not keep the others open. */
export class Closing {
  readonly #closers: (() => unknown)[] = [];

  add(close: () => unknown): void {
    this.#closers.push(close);
  }

  /** A folder that is removed, too. */
  folder(prefix: string): string {
    const folder = mkdtempSync(join(tmpdir(), prefix));
    this.add(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** @throws AggregateError when something could not be closed. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let next = this.#closers.pop(); next; next = this.#closers.pop()) {
      try {
        await next();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'closing failed');
  }
}

/** Starts things that belong together. Whatever fails on the way, what was started by then is closed. */
export async function assembled<T>(assemble: (closing: Closing) => Promise<T>): Promise<T> {
  const closing = new Closing();
  try {
    return await assemble(closing);
  } catch (error) {
    await closing.close();
    throw error;
  }
}
