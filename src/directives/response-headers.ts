import type { HeaderField, HeaderList } from '../exchange/header-list.js';
import { canonicalName, isKongResponseHeader, isResponseFraming } from '../exchange/header-rules.js';
import type { HeaderChanges, Note } from './decision.js';
import { diffHeaders } from './header-diff.js';

/** Missing in an answer, these stay, as with the existing plugin: a provider leaves them out without meaning anything by it. */
const KEPT = new Set(['connection', 'content-length', 'date', 'transfer-encoding', 'vary']);

/**
 * The changes of an answer's headers against the upstream's. Hop-by-hop and framing headers are never set; the others of
 * them may be taken away.
 * @throws PingAuthError `directive_invalid`
 */
export function responseHeaderChanges(
  shown: HeaderList,
  answered: readonly HeaderField[],
): { readonly changes: HeaderChanges; readonly notes: readonly Note[] } {
  // Kong writes `x_under` as `x-under` in a response, so the two are one name here.
  const nameOf = (name: string) => (shown.has(name) ? name : canonicalName(name));
  const { changed, missing } = diffHeaders(shown, answered, nameOf);
  const notes: Note[] = [];
  const set = new Map<string, readonly string[]>();
  for (const [name, values] of changed) {
    if (!isResponseFraming(name) && !isKongResponseHeader(name)) set.set(name, values);
    // A length is in nearly every answer and is always computed anew: nothing that anybody has to know.
    else if (name !== 'content-length') notes.push({ what: 'dropped_header', name });
  }
  return { changes: { set, remove: missing.filter((name) => !KEPT.has(name)) }, notes };
}
