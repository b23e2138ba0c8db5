// Characters that a terminal or a log viewer would obey, or not show.

const PLAIN = /^[\x20-\x7e]*$/;
// Controls, format characters (bidirectional overrides, zero width), lone surrogates, line and paragraph separators.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** As an escape of JSON, so that a finished line of JSON stays what it says: of a character beyond U+FFFF both halves. */
function escaped(character: string): string {
  let text = '';
  for (let at = 0; at < character.length; at += 1)
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return text;
}

/** Control characters, invisible ones and lone surrogates as `\u001b`: a log line must not move a terminal's cursor. */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replaceAll(UNPRINTABLE, escaped);
}

/** The same for a text of several lines, which it keeps, as it keeps tabs: neither does more than move to the right or down. */
export function printableLines(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );
}
