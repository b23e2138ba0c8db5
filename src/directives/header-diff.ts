import type { HeaderField, HeaderList } from '../http/header-list.js';
import { toWireText, trimBlanks } from '../http/text.js';
import { checkHeaderName, checkHeaderValue } from './validation.js';

/** What an answer's headers say, compared with the ones that were shown. */
export interface HeaderDiff {
  /** New or changed: all values of the name. */
  readonly changed: ReadonlyMap<string, readonly string[]>;
  /** Shown, and not in the answer. */
  readonly missing: readonly string[];
}

const NO_DIFF: HeaderDiff = { changed: new Map(), missing: [] };

/**
 * Compares with what was SHOWN, not with the bytes: a value that comes back as it was shown keeps its original bytes, be
 * they UTF-8 or not. When one value of several changed, the whole list is written, the other ones with their own bytes.
 * @throws PingAuthError `directive_invalid`
 */
export function diffHeaders(
  shown: HeaderList,
  answered: readonly HeaderField[],
  nameOf: (name: string) => string = (name) => name,
): HeaderDiff {
  if (isEcho(shown.fields, answered)) return NO_DIFF;
  const originals = shown.toMap();
  const wanted = new Map<string, string[]>();
  for (const [rawName, value] of answered) {
    const name = shownName(originals, rawName) ?? nameOf(checkHeaderName(rawName));
    const values = wanted.get(name);
    if (values) values.push(value);
    else wanted.set(name, [value]);
  }
  const changed = new Map<string, readonly string[]>();
  for (const [name, values] of wanted) {
    const before = originals.get(name) ?? [];
    const after = withOriginalBytes(name, values, before);
    if (after.length !== before.length || after.some((value, at) => value !== before[at]))
      changed.set(checkHeaderName(name), after);
  }
  return { changed, missing: [...originals.keys()].filter((name) => !wanted.has(name)) };
}

/** A name that was shown is the sender's own, odd as it may be: the policy only repeats it. */
function shownName(originals: ReadonlyMap<string, unknown>, rawName: string): string | undefined {
  const name = rawName.toLowerCase();
  return originals.has(name) ? name : undefined;
}

/** The answer repeats what was shown, field by field, as most answers do. */
function isEcho(shown: readonly HeaderField[], answered: readonly HeaderField[]): boolean {
  if (shown.length !== answered.length) return false;
  for (let at = 0; at < shown.length; at++) {
    const was = shown[at];
    const is = answered[at];
    if (was?.[0] !== is?.[0] || was?.[1] !== is?.[1]) return false;
  }
  return true;
}

function withOriginalBytes(name: string, values: readonly string[], originals: readonly string[]): string[] {
  const unused: { readonly original: string; readonly text: string }[] = originals.map((original) => ({
    original,
    text: trimBlanks(toWireText(original)),
  }));
  return values.map((value) => {
    const text = trimBlanks(value);
    const at = unused.findIndex((candidate) => candidate.text === text);
    const [match] = at < 0 ? [] : unused.splice(at, 1);
    return match === undefined ? checkHeaderValue(name, value) : match.original;
  });
}
