/** What stands in a text from `start` to `end` is to become `replacement`. */
export type Edit = readonly [start: number, end: number, replacement: string];

/** The text with its edits carried out; of two that overlap, the one that starts first. */
export function edited(text: string, edits: Edit[]): string {
  if (edits.length === 0) return text;
  const parts: string[] = [];
  let at = 0;
  for (const [start, end, replacement] of edits.sort((a, b) => a[0] - b[0])) {
    if (start < at) continue;
    parts.push(text.slice(at, start), replacement);
    at = end;
  }
  return parts.join('') + text.slice(at);
}

/** Percent-encoded UTF-8 decoded where it is right; a stray `%zz` does not keep the rest from being read. */
export function decodedQuietly(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replaceAll(/(?:%[\da-f]{2})+/gi, (run) =>
      Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
    );
  }
}
