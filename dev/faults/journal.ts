import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * Lines in a file, each written before anything follows from it: what a process did is known however it ended.
 */
export class Journal {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(word: string, id: string): void {
    writeSync(this.#file, `${word} ${id}\n`);
  }
}

/** The ids that begin with `prefix`, by word. */
export function readJournal(path: string, prefix: string): ReadonlyMap<string, readonly string[]> {
  const entries = new Map<string, string[]>();
  if (!existsSync(path)) return entries;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [word = '', id = ''] = line.split(' ');
    if (!id.startsWith(prefix)) continue;
    const ids = entries.get(word);
    if (ids) ids.push(id);
    else entries.set(word, [id]);
  }
  return entries;
}
