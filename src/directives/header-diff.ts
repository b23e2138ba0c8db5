import {
  type HeaderChanges,
  type HeaderField,
  type HeaderList,
  headerChanges,
  NO_HEADER_CHANGES,
  valuesOf,
} from '../http/header-list.js';
import { toWireText, trimBlanks } from '../http/text.js';
import { checkHeaderName, checkHeaderValue } from './validation.js';

/**
 * Compares with what was SHOWN, not with the bytes: a value that comes back as it was shown keeps its original bytes, be
 * they UTF-8 or not. When one value of several changed, the whole list is written, the other ones with their own bytes.
 * @returns what is new or changed, and `[]` for what was shown and is not in the answer
 * @throws PingAuthError `directive_invalid`
 */
export function diffHeaders(
  shown: HeaderList,
  answered: readonly HeaderField[],
  nameOf: (name: string) => string = (name) => name,
): HeaderChanges {
  if (isEcho(shown.fields, answered)) return NO_HEADER_CHANGES;
  const originals = shown.toRecord();
  const wanted = new Map<string, string[]>();
  for (const [rawName, value] of answered) {
    const name = shownName(originals, rawName) ?? nameOf(checkHeaderName(rawName));
    const values = wanted.get(name);
    if (values) values.push(value);
    else wanted.set(name, [value]);
  }
  const changed = headerChanges();
  for (const [name, values] of wanted) {
    const before = valuesOf(originals[name]);
    const after = withOriginalBytes(name, values, before);
    if (after.length !== before.length || after.some((value, at) => value !== before[at]))
      changed[checkHeaderName(name)] = after;
  }
  for (const name of Object.keys(originals)) if (!wanted.has(name)) changed[name] = [];
  return changed;
}

/** A name that was shown is the sender's own, odd as it may be: the policy only repeats it. */
function shownName(originals: HeaderChanges, rawName: string): string | undefined {
  const name = rawName.toLowerCase();
  return name in originals ? name : undefined;
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
