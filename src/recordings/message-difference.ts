import { diffLines } from 'diff';
import type { MessageText } from './message-text.js';

/** `changed`: both sides are there and differ. */
export type Change = 'same' | 'added' | 'removed' | 'changed';

export interface DifferenceRow {
  readonly change: Change;
  /** Undefined where that side has nothing: added, or removed. */
  readonly before?: string;
  readonly after?: string;
}

export interface HeaderRow extends DifferenceRow {
  readonly name: string;
}

/** Two messages side by side: what the policy was shown, and what was forwarded. */
export interface MessageDifference {
  readonly start: DifferenceRow;
  /** In the order of the message before; new ones at the end. */
  readonly headers: readonly HeaderRow[];
  /** Lines; those that stand for each other in one row. Empty when neither has a body. */
  readonly body: readonly DifferenceRow[];
  readonly isSame: boolean;
}

/** A body with more lines than this is shown as it is when it differs: comparing would take too long. */
const MAX_COMPARED_LINES = 5000;

/** @param before undefined: there was no message, all is added; `after` likewise */
export function compareMessages(
  before: MessageText | undefined,
  after: MessageText | undefined,
): MessageDifference {
  const start = row(before?.start, after?.start);
  const headers = compareHeaders(before?.headers ?? [], after?.headers ?? []);
  const body = compareBodies(before?.body ?? '', after?.body ?? '');
  return {
    start,
    headers,
    body,
    isSame: [start, ...headers, ...body].every(({ change }) => change === 'same'),
  };
}

function compareHeaders(before: MessageText['headers'], after: MessageText['headers']): HeaderRow[] {
  const wanted = new Map<string, string[]>();
  for (const [name, value] of after) wanted.set(name, [...(wanted.get(name) ?? []), value]);
  // The first of a name before stands for the first of that name after.
  const rows = before.map(([name, value]) => ({ name, ...row(value, wanted.get(name)?.shift()) }));
  const added = after.filter(([name, value]) => {
    const rest = wanted.get(name);
    if (rest?.[0] !== value) return false;
    rest.shift();
    return true;
  });
  return [...rows, ...added.map(([name, value]) => ({ name, ...row(undefined, value) }))];
}

function compareBodies(before: string, after: string): DifferenceRow[] {
  if (before === after) return lines(before).map((line) => row(line, line));
  const [old, wanted] = [lines(before), lines(after)];
  if (old.length + wanted.length > MAX_COMPARED_LINES) return pairs(old, wanted);
  const rows: DifferenceRow[] = [];
  let removed: string[] = [];
  // With the last line feed on both sides, else an added line at the end counts as a change of the line before it.
  for (const part of diffLines(ended(before), ended(after))) {
    const texts = lines(part.value.replace(/\n$/, ''));
    if (part.removed) {
      removed = texts;
      continue;
    }
    rows.push(
      ...(part.added ? pairs(removed, texts) : [...pairs(removed, []), ...texts.map((t) => row(t, t))]),
    );
    removed = [];
  }
  return [...rows, ...pairs(removed, [])];
}

/** Lines that were replaced stand beside those that replace them. */
function pairs(before: readonly string[], after: readonly string[]): DifferenceRow[] {
  return Array.from({ length: Math.max(before.length, after.length) }, (_, index) =>
    row(before[index], after[index]),
  );
}

function row(before: string | undefined, after: string | undefined): DifferenceRow {
  const change =
    before === after ? 'same' : before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  return { change, ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
}

function lines(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

function ended(text: string): string {
  return text === '' ? '' : `${text}\n`;
}
