import { createHmac } from 'node:crypto';
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';

/** What the policy writes on messages that it has let through; no other party can make it. */
export interface Stamps {
  /** On the request to the upstream (`x-permit`): for this request with a body of so many bytes. */
  permit(id: string, bodyBytes: number): string;
  /** On the response to the client (`x-stamp`). */
  answer(id: string): string;
  /** On the policy's own denial (`x-denied`). */
  denial(id: string): string;
}

export const STAMP_KEY_VARIABLE = 'FAULTS_STAMP_KEY';

export function createStamps(key: string): Stamps {
  const stamp = (kind: string, id: string) =>
    createHmac('sha256', key).update(`${kind} ${id}`).digest('hex').slice(0, 24);
  return {
    permit: (id, bodyBytes) => `${bodyBytes}.${stamp('permit', `${id} ${bodyBytes}`)}`,
    answer: (id) => stamp('answer', id),
    denial: (id) => stamp('denial', id),
  };
}

/** The request's id, from `/r/<id>…` in a path or an absolute URL. */
export function idIn(url: string): string {
  return /\/r\/([\w-]+)/.exec(url)?.[1] ?? '';
}

/** Every tenth request is denied by the policy. */
export function isDenied(id: string): boolean {
  return numberOf(id) % 10 === 9;
}

/** Every third permit brings no state; then the whole request comes back to the policy. */
export function hasState(id: string): boolean {
  return numberOf(id) % 3 !== 0;
}

/** Every second response gets another body (an exit in the response phase), the others only other headers. */
export function isRewritten(id: string): boolean {
  return numberOf(id) % 2 === 0;
}

export function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}

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
