import { REDACTED } from './gap-marks.js';
import { exceptionsOf, isSecretName } from './secret-names.js';
import { type Edit, edited } from './text-edits.js';

/** What is not blanked although the name (of the member, or of one around it) is that of a secret. */
type Exceptions = ReturnType<typeof exceptionsOf>;

interface Frame {
  readonly isObject: boolean;
  /** Of its bracket. */
  readonly start: number;
  /** A list in a list: `[["password", …]]` is a list of pairs. Counts its items; undefined elsewhere. */
  items: number | undefined;
  /** Of the members inside: undefined when they are not secret because of what is around them. */
  readonly secret: Exceptions | undefined;
  name: string;
  /** `{"name": "password", "value": …}`: the text is that of a secret name. */
  namesSecret: boolean;
  /** Where the texts of `value` stand. */
  readonly values: [start: number, end: number][];
}

type Expected = 'value' | 'value or ]' | 'name or }' | 'name' | ':' | ', or end';

const NAME_MEMBERS = new Set(['name', 'key', 'k', 'id', 'field', 'param', 'header', 'path']);
const VALUE_MEMBERS = new Set(['value', 'values', 'val', 'v', 'newvalue', 'content', 'text', 'data']);
/** Whose lists and objects are blanked as well. */
const PLAIN_VALUE_MEMBERS = new Set(['value', 'values', 'val', 'v', 'newvalue']);
const SPACE = /[\s\ufeff]*/y;
const PLAIN_VALUE = /-?\d[\d.eE+-]*|true|false|null/y;
/** A value that is a word or two is no code that lets somebody in. */
const WORDS = /^[A-Za-z]{1,24}(?:[ _.-][A-Za-z]{1,24}){0,5}$/;
const MAX_DEPTH = 500;

/**
 * JSON (also several values one after the other, also cut off at its end) with secrets blanked and everything else, spaces
 * included, as it was. One pass; undefined for a text that is not JSON.
 * @param blankText for texts inside
 */
export function blankJson(text: string, blankText: (text: string) => string): string | undefined {
  const edits: Edit[] = [];
  const stack: Frame[] = [];
  let expected: Expected = 'value';
  let at = 0;
  let count = 0;

  const close = (frame: Frame | undefined): void => {
    if (frame?.namesSecret)
      for (const [start, end] of frame.values) edits.push([start, end, `"${REDACTED}"`]);
  };
  const secretHere = (frame: Frame | undefined): Exceptions | undefined => {
    if (frame === undefined || !frame.isObject) return frame?.secret;
    return isSecretName(frame.name) ? exceptionsOf(frame.name) : frame.secret;
  };

  for (;;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)?.[0].length ?? 0;
    if (at >= text.length) break;
    const frame = stack.at(-1);
    const character = text[at];
    if (character === '"') {
      const end = endOfString(text, at);
      if (end === undefined) return undefined;
      const inside = decoded(text, at, end);
      if (inside === undefined) return undefined;
      if (expected === 'name' || expected === 'name or }') {
        if (frame) frame.name = inside;
        expected = ':';
      } else if (expected === 'value' || expected === 'value or ]') {
        const secret = secretHere(frame);
        if (secret !== undefined) {
          if (inside !== '' && !(secret.words && WORDS.test(inside))) edits.push([at, end, `"${REDACTED}"`]);
        } else {
          const clean = inside.length < 6 ? inside : blankText(inside);
          if (clean !== inside) edits.push([at, end, JSON.stringify(clean)]);
          else if (isValueOf(frame, VALUE_MEMBERS) && inside !== '') frame?.values.push([at, end]);
        }
        if (isNameOf(frame) && isSecretName(inside) && frame) frame.namesSecret = true;
        if (frame?.items !== undefined) frame.items += 1;
        expected = ', or end';
      } else return undefined;
      at = end;
    } else if (character === '{' || character === '[') {
      if (expected !== 'value' && expected !== 'value or ]') return undefined;
      if (stack.length >= MAX_DEPTH) return undefined;
      const isObject = character === '{';
      stack.push({
        isObject,
        start: at,
        items: !isObject && frame?.isObject === false ? 0 : undefined,
        secret: secretHere(frame),
        name: '',
        namesSecret: false,
        values: [],
      });
      expected = isObject ? 'name or }' : 'value or ]';
      at += 1;
    } else if (character === '}' || character === ']') {
      const isObject = character === '}';
      const isDue = expected === ', or end' || expected === (isObject ? 'name or }' : 'value or ]');
      if (frame?.isObject !== isObject || !isDue) return undefined;
      stack.pop();
      close(frame);
      const outer = stack.at(-1);
      if (isValueOf(outer, PLAIN_VALUE_MEMBERS)) outer?.values.push([frame.start, at + 1]);
      expected = ', or end';
      at += 1;
    } else if (character === ',' && expected === ', or end' && frame !== undefined) {
      expected = frame.isObject ? 'name' : 'value';
      at += 1;
    } else if (character === ':' && expected === ':') {
      expected = 'value';
      at += 1;
    } else {
      PLAIN_VALUE.lastIndex = at;
      const [plain] = PLAIN_VALUE.exec(text) ?? [];
      if (plain === undefined || (expected !== 'value' && expected !== 'value or ]')) return undefined;
      const end = at + plain.length;
      const isNumber = /\d/.test(plain);
      const secret = secretHere(frame);
      if (secret !== undefined && isNumber && !secret.numbers) edits.push([at, end, `"${REDACTED}"`]);
      else if (isNumber && isValueOf(frame, VALUE_MEMBERS)) frame?.values.push([at, end]);
      if (frame?.items !== undefined) frame.items += 1;
      expected = ', or end';
      at = end;
    }
    if (stack.length === 0 && expected === ', or end') {
      count += 1;
      expected = 'value';
    }
  }
  // Cut off: what is open is closed.
  for (const frame of stack) close(frame);
  return count === 0 && stack.length === 0 ? undefined : edited(text, edits);
}

/** Whether a text that stands here is a name: `{"name": "password", …}`, `[["password", …]]`. */
function isNameOf(frame: Frame | undefined): boolean {
  return frame?.isObject ? NAME_MEMBERS.has(frame.name.toLowerCase()) : frame?.items === 0;
}

/** Whether what stands here is the value of such a name. */
function isValueOf(frame: Frame | undefined, members: ReadonlySet<string>): boolean {
  return frame?.isObject ? members.has(frame.name.toLowerCase()) : frame?.items === 1;
}

/** Behind the closing quote, or the end of the text; undefined where there is a character that JSON does not allow. */
function endOfString(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x5c) at += 1;
    else if (code < 0x20) return undefined;
  }
  return text.length;
}

/** Of a literal that may be cut off; undefined when its escapes are none. */
function decoded(text: string, start: number, end: number): string | undefined {
  const literal = text.slice(start, end);
  if (!literal.includes('\\'))
    return literal.endsWith('"') && literal.length > 1 ? literal.slice(1, -1) : literal.slice(1);
  for (const candidate of [literal, `${literal}"`, `${literal.replace(/\\[^\\]{0,5}$/, '')}"`]) {
    try {
      return String(JSON.parse(candidate));
    } catch {
      // The next one allows for a cut.
    }
    if (end < text.length) return undefined;
  }
  return undefined;
}
