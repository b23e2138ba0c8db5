import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

/** The files of a recording that the recorder writes. */
export const RECORDED_FILES = ['reads', 'access-effects', 'response-effects', 'faults'] as const;

export type RecordedFile = (typeof RECORDED_FILES)[number];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A part of a file that came out differently. */
export interface Change {
  readonly file: string;
  readonly at: readonly (string | number)[];
  readonly observed?: Json;
}

export function readRecording(folder: string, file: RecordedFile): Json {
  return JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8'));
}

export function writeRecording(folder: string, file: RecordedFile, recording: Json): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${file}.json`), JSON.stringify(recording));
}

/** The recording with these parts in place of its own. */
export function withChanges(recording: Json, changes: readonly Change[]): Json {
  const changed = structuredClone(recording);
  const repeated = eachSame(changed, (variants, variant, part, text) => {
    // A variant that did as another one must not follow that one's change.
    variants[variant] = { ...variants[variant], [part]: structuredClone(resolved(variants, part, text)) };
  });
  for (const { at, observed = null } of changes) setPart(changed, at, observed);
  for (const { variants, variant, part, text } of repeated) {
    const own = variants[variant];
    if (own !== undefined && isDeepStrictEqual(own[part], resolved(variants, part, text))) own[part] = text;
  }
  return changed;
}

interface Repeated {
  readonly variants: Variants;
  readonly variant: string;
  readonly part: string;
  readonly text: string;
}

type Variants = Record<string, Record<string, Json>>;

const SAME = /^same as (\w+)$/;

/** Calls `change` for each part of a variant that says "same as X". */
function eachSame(
  recording: Json,
  change: (variants: Variants, variant: string, part: string, text: string) => void,
): Repeated[] {
  if (!isTable(recording)) return [];
  const found: Repeated[] = [];
  for (const group of Object.values(recording).filter(isTable)) {
    for (const one of Object.values(group).filter(isTable)) {
      const variants = one as Variants;
      for (const [variant, parts] of Object.entries(variants).filter(([, value]) => isTable(value))) {
        for (const [part, text] of Object.entries(parts)) {
          if (typeof text !== 'string' || !SAME.test(text)) continue;
          found.push({ variants, variant, part, text });
        }
      }
    }
  }
  for (const { variants, variant, part, text } of found) change(variants, variant, part, text);
  return found;
}

/** What "same as X" stands for, which may be another such text. */
function resolved(variants: Variants, part: string, text: string): Json {
  const value = variants[SAME.exec(text)?.[1] ?? '']?.[part] ?? null;
  return typeof value === 'string' && SAME.test(value) ? resolved(variants, part, value) : value;
}

function setPart(recording: Json, at: readonly (string | number)[], value: Json): void {
  let node = recording as Record<string | number, Json>;
  for (const key of at.slice(0, -1)) {
    node[key] ??= {};
    node = node[key] as Record<string | number, Json>;
  }
  node[at.at(-1) ?? ''] = value;
}

/** The parts in which two recordings differ, each as `path: one | other`. */
export function differences(one: Json, other: Json, path: readonly (string | number)[] = []): string[] {
  if (isDeepStrictEqual(one, other)) return [];
  const both = [one, other];
  const isLeaf = !(both.every(isTable) || both.every(Array.isArray)) || path.length > MOST_LEVELS;
  if (isLeaf) return [`${path.join('/')}: ${short(one)} | ${short(other)}`];
  const [left, right] = both as [Record<string, Json>, Record<string, Json>];
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((key) =>
    differences(left[key] ?? null, right[key] ?? null, [...path, key]),
  );
}

/** Below that a difference is shown whole: two lists of headers are easier to read side by side. */
const MOST_LEVELS = 8;

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function isTable(value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
