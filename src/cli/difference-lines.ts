// How `explain`, `test` and `replay` show people in what two texts differ.
import { type ChangeObject, diffLines } from 'diff';
import { laidOut } from '../recordings/layout.js';
import { printable, printableLines } from '../telemetry/printable.js';
import type { Paint } from './terminal.js';

export interface Side {
  readonly label: string;
  /** Lines, the last one ended too; safe for a terminal. */
  readonly text: string;
}

export interface Layout {
  /** In front of each line. */
  readonly indent?: string;
  /** Lines shown before and behind a change; what is further away becomes `…`. Default: all. */
  readonly context?: number;
}

/** Two texts that have next to nothing in common would take minutes to compare. */
const MAX_CHANGED_LINES = 2000;

/**
 * What became of one text in the other, as a unified diff without its line numbers: all lines (or those near a change),
 * changed ones marked. Two texts that are the same are shown whole.
 */
export function differenceLines(before: Side, after: Side, paint: Paint, layout: Layout = {}): string[] {
  const output = [paint.red(`--- ${printable(before.label)}`), paint.green(`+++ ${printable(after.label)}`)];
  const parts = compare(before.text, after.text);
  for (const [index, part] of parts.entries()) {
    const lines = part.value.replace(/\n$/, '').split('\n');
    if (part.added) output.push(...lines.map((line) => paint.green(`+ ${line}`)));
    else if (part.removed) output.push(...lines.map((line) => paint.red(`- ${line}`)));
    else if (parts.length === 1) output.push(...lines.map((line) => `  ${line}`));
    else {
      const { context = Number.POSITIVE_INFINITY } = layout;
      const head = index === 0 ? 0 : context;
      const tail = index === parts.length - 1 ? 0 : context;
      output.push(...shortened(lines, head, tail).map((line) => `  ${line}`));
    }
  }
  return output.map((line) => `${layout.indent ?? ''}${line}`.trimEnd());
}

/** A value of JSON, or a text that may be JSON, as lines that can be compared. */
export function valueLines(value: unknown): string {
  if (value === undefined) return '';
  const text = typeof value === 'string' ? laidOut(value) : JSON.stringify(value, undefined, 2);
  return `${printableLines(text)}\n`;
}

function compare(before: string, after: string): ChangeObject<string>[] {
  const parts = diffLines(before, after, { maxEditLength: MAX_CHANGED_LINES });
  if (parts !== undefined) return parts;
  return [
    { value: before, removed: true, added: false, count: 1 },
    { value: after, removed: false, added: true, count: 1 },
  ];
}

/** Unchanged lines: those near a change. */
function shortened(lines: readonly string[], head: number, tail: number): readonly string[] {
  if (lines.length <= head + tail + 1) return lines;
  return [...lines.slice(0, head), '…', ...lines.slice(lines.length - tail)];
}
