/** A path with the parts that look like ids replaced: `/orders/{id}/items`. */
export function pathPattern(path: string): string {
  return path
    .split('/')
    .map((segment) => (looksLikeId(segment) ? '{id}' : segment))
    .join('/');
}

/** Numbers, UUIDs, hashes, and long mixtures of letters and digits. */
function looksLikeId(segment: string): boolean {
  if (/^\d+$/.test(segment)) return true;
  if (/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(segment)) return true;
  if (/^[0-9a-f]{16,}$/i.test(segment)) return true;
  return segment.length >= 12 && /\d/.test(segment) && /[a-z]/i.test(segment) && !/[a-z]{8,}/i.test(segment);
}
