const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/** One member of an object as it stands in a JSON text; the numbers are offsets in it. */
export interface JsonMember {
  readonly name: string;
  /** Of the name's opening quote. */
  readonly start: number;
  readonly valueStart: number;
  /** Behind the value. */
  readonly end: number;
}

/**
 * The members of an object in their order, so that one can be taken out or replaced while all the others keep their text:
 * parsed and written again, 9007199254740993 would come out as …992.
 *
 * @param json text that JSON.parse has accepted
 * @param at of the object's opening brace; by default of the first one
 */
export function* jsonMembers(json: string, at: number = json.indexOf('{')): Generator<JsonMember, void> {
  let start = afterBlanks(json, at + 1);
  while (json.charCodeAt(start) === QUOTE) {
    const nameEnd = afterString(json, start);
    const text = json.slice(start + 1, nameEnd - 1);
    const name = text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
    const valueStart = afterBlanks(json, afterBlanks(json, nameEnd) + 1);
    const end = afterValue(json, valueStart);
    yield { name, start, valueStart, end };
    const next = afterBlanks(json, end);
    if (json.charCodeAt(next) !== COMMA) return;
    start = afterBlanks(json, next + 1);
  }
}

/**
 * The member of a name. Of a name that occurs twice the last one counts, as for JSON.parse.
 * @returns undefined when there is none
 */
export function jsonMember(json: string, name: string, at?: number): JsonMember | undefined {
  let found: JsonMember | undefined;
  for (const member of jsonMembers(json, at)) if (member.name === name) found = member;
  return found;
}

function afterBlanks(json: string, at: number): number {
  let next = at;
  for (; next < json.length; next++) {
    const code = json.charCodeAt(next);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
  }
  return next;
}

/**
 * The offset behind a string.
 * @param at of the opening quote
 */
export function afterString(json: string, at: number): number {
  let next = at + 1;
  for (;;) {
    const quote = json.indexOf('"', next);
    if (quote < 0) return json.length;
    if (!isEscaped(json, quote)) return quote + 1;
    // In a string of escaped quotes, a search for each of them would take five times as long.
    const near = quote + NEAR_CHARACTERS;
    for (next = quote + 1; next < near; next++) {
      const code = json.charCodeAt(next);
      if (code === BACKSLASH) next++;
      else if (code === QUOTE) return next + 1;
    }
  }
}

/** So far behind an escaped quote, characters are looked at one by one. */
const NEAR_CHARACTERS = 8;

function isEscaped(json: string, quote: number): boolean {
  let before = quote - 1;
  while (json.charCodeAt(before) === BACKSLASH) before--;
  return (quote - before) % 2 === 0;
}

/** A number or a word ends before a comma, a bracket or a blank; brackets end with their like, strings passed over. */
function afterValue(json: string, at: number): number {
  let depth = 0;
  for (let next = at; next < json.length; next++) {
    const code = json.charCodeAt(next);
    if (code === QUOTE) {
      next = afterString(json, next) - 1;
      if (depth === 0) return next + 1;
    } else if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      if (depth === 0) return next;
      depth--;
      if (depth === 0) return next + 1;
    } else if (depth === 0 && (code === COMMA || code <= 0x20)) return next;
  }
  return json.length;
}
