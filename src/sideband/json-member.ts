const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The text of one member's value, to the letter as it stands in a JSON object: parsed and written again, 9007199254740993
 * would come out as …992. Of a name that occurs twice the last one counts, as for JSON.parse.
 *
 * @param json text of an object that JSON.parse has accepted
 * @returns undefined when there is no such member
 */
export function memberText(json: string, member: string): string | undefined {
  let found: string | undefined;
  let at = json.indexOf('{') + 1;
  for (;;) {
    at = afterBlanks(json, at);
    if (json.charCodeAt(at) !== QUOTE) return found; // the closing brace
    const nameEnd = afterString(json, at);
    const name = json.slice(at + 1, nameEnd - 1);
    const valueStart = afterBlanks(json, afterBlanks(json, nameEnd) + 1);
    const valueEnd = afterValue(json, valueStart);
    if (name === member || (name.includes('\\') && JSON.parse(`"${name}"`) === member)) {
      found = json.slice(valueStart, valueEnd);
    }
    at = afterBlanks(json, valueEnd);
    if (json.charCodeAt(at) !== 0x2c) return found;
    at += 1;
  }
}

function afterBlanks(json: string, at: number): number {
  let next = at;
  for (; next < json.length; next++) {
    const code = json.charCodeAt(next);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
  }
  return next;
}

/** @param at of the opening quote */
function afterString(json: string, at: number): number {
  let quote = json.indexOf('"', at + 1);
  while (isEscaped(json, quote)) quote = json.indexOf('"', quote + 1);
  return quote < 0 ? json.length : quote + 1;
}

function isEscaped(json: string, quote: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
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
    } else if (depth === 0 && (code === 0x2c || code <= 0x20)) return next;
  }
  return json.length;
}
