// Marks that stand in a log for what is not in it, and how a text that looks like one is told from them.

/** In the place of a secret. */
export const REDACTED = '[redacted]';

const LITERAL = /\[redacted(\+*)\]/g;
const ESCAPED_LITERAL = /\[redacted\+(\+*)\]/g;

/** How a text ends that is cut: so many characters are missing. */
const CUT_MARK = /… [1-9]\d{0,15} more$/;
/** How a text ends that only looks as if it were cut: nothing is missing. */
const NOT_CUT_MARK = /… 0 more$/;
const LIKE_A_CUT_MARK = /… \d{1,16} more$/;

/** A text from outside in which no part is a mark: `[redacted]` becomes `[redacted+]`. `textOf` is the way back. */
export function withoutMarks(text: string): string {
  return text.includes('[redacted') ? text.replaceAll(LITERAL, '[redacted$1+]') : text;
}

/** The same for the end of a text, once it is known that it is not cut. */
export function withoutCutMark(text: string): string {
  return text.endsWith(' more') && LIKE_A_CUT_MARK.test(text.slice(-32)) ? `${text}… 0 more` : text;
}

/** What a recorded text says, with marks only where something is missing. */
export function textOf(recorded: string): string {
  const text = NOT_CUT_MARK.test(recorded.slice(-12)) ? recorded.replace(NOT_CUT_MARK, '') : recorded;
  return text.includes('[redacted+') ? text.replaceAll(ESCAPED_LITERAL, '[redacted$1]') : text;
}

/** Whether something in a recorded text is blanked. */
export function hasRedaction(recorded: string): boolean {
  return recorded.includes(REDACTED);
}

/** The mark at the end of a recorded text of which only the beginning is there. */
export function cutMark(recorded: string): string | undefined {
  return CUT_MARK.exec(recorded.slice(-32))?.[0];
}

/** `textOf` of every text in a recorded message. */
export function messageOf(recorded: unknown): unknown {
  if (typeof recorded === 'string') return textOf(recorded);
  if (Array.isArray(recorded)) return recorded.map(messageOf);
  if (typeof recorded !== 'object' || recorded === null) return recorded;
  return Object.fromEntries(
    Object.entries(recorded).map(([name, value]) => [textOf(name), messageOf(value)]),
  );
}
