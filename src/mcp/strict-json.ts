/// <reference lib="es2024.string" />
import { afterString } from '../http/json-members.js';

/** Containers inside containers. Tool schemas need a dozen or two; parsers elsewhere give up at 64 (.NET) or 1000 (Jackson). */
export const MAX_DEPTH = 64;
/**
 * Values in one text. Megabytes of `{},{},{}` take a second to read, in which no other event is served; megabytes of text take
 * none, and that is what large messages are made of.
 */
export const MAX_VALUES = 10_000;

/** Why a text is not JSON that every reader reads alike. In words, for the client as well: never quotes the text. */
export type JsonFault =
  | 'no JSON'
  | 'half a surrogate pair'
  | 'too deep'
  | 'too many values'
  | 'a member twice';

/** A text as JSON, or what speaks against it. */
export type StrictJson =
  | { readonly value: unknown; readonly fault?: undefined }
  | { readonly fault: JsonFault; readonly value?: undefined };

/** `\ud800` to `\udfff`, or the same behind an escaped backslash: rare enough to look closer. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/**
 * Reads JSON of which no two parsers can have different ideas: what JSON.parse accepts, without a member that occurs
 * twice in one object (most parsers take the last one, some the first), without half surrogate pairs, not nested deeper
 * than `MAX_DEPTH` and with no more values than `budget` has left, of which it takes them. A byte order mark is no JSON.
 *
 * JSON.parse does the reading. It keeps one member of each name, however a name is spelled; so a member occurs twice
 * exactly when there are more names in the text than members in the value.
 */
export function readStrictJson(text: string, budget: ValueBudget = { left: MAX_VALUES }): StrictJson {
  const names = countNames(text, budget);
  if (names === TOO_DEEP) return { fault: 'too deep' };
  if (names === TOO_MANY) return { fault: 'too many values' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'no JSON' };
  }
  const mayHoldHalves = SURROGATE_ESCAPE.test(text) || !text.isWellFormed();
  if (mayHoldHalves && holdsLoneSurrogate(value)) return { fault: 'half a surrogate pair' };
  return names === countMembers(value) ? { value } : { fault: 'a member twice' };
}

/** Values that several texts may have together. */
export interface ValueBudget {
  left: number;
}

const TOO_DEEP = -1;
const TOO_MANY = -2;

/**
 * How many strings are followed by a colon, which in JSON are the member names. `TOO_DEEP` and `TOO_MANY` are told before
 * JSON.parse builds anything. What it says of a text that is no JSON means nothing.
 */
function countNames(text: string, budget: ValueBudget): number {
  const { length } = text;
  let names = 0;
  let depth = 0;
  // One that stands alone, one behind each comma, and one in each container, be it empty.
  budget.left -= 1;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = afterString(text, at) - 1;
    else if (code === COLON) names += 1;
    else if (code === COMMA) {
      budget.left -= 1;
      if (budget.left < 0) return TOO_MANY;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      depth += 1;
      budget.left -= 1;
      if (depth > MAX_DEPTH) return TOO_DEEP;
      if (budget.left < 0) return TOO_MANY;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth -= 1;
  }
  return names;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Members of all objects in a value. Nested no deeper than `MAX_DEPTH`, so it may call itself. */
function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item);
    return members;
  }
  for (const member of Object.values(value)) members += 1 + countMembers(member);
  return members;
}

function holdsLoneSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsLoneSurrogate);
  return Object.entries(value).some(([name, member]) => !name.isWellFormed() || holdsLoneSurrogate(member));
}
