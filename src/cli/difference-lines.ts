import { diffLines } from 'diff';
import type { Paint } from './paint.js';

export interface Side {
  readonly label: string;
  /** Lines, the last one ended too. */
  readonly text: string;
}

/** What became of one text in the other, as a unified diff without its line numbers: all lines, changed ones marked. */
export function differenceLines(before: Side, after: Side, paint: Paint): string[] {
  const output = [paint.red(`--- ${before.label}`), paint.green(`+++ ${after.label}`)];
  for (const part of diffLines(before.text, after.text)) {
    const [sign, colour] = part.added
      ? (['+', paint.green] as const)
      : part.removed
        ? (['-', paint.red] as const)
        : ([' ', (text: string) => text] as const);
    for (const line of part.value.replace(/\n$/, '').split('\n')) output.push(colour(`${sign} ${line}`));
  }
  return output;
}
