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
