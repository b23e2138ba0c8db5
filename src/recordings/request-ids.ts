/** Shown of the ids that a prefix could mean. */
const SHOWN = 5;

/**
 * The id that was meant: itself, or the only one that starts with it.
 * @returns undefined when none does
 * @throws Error when several do
 */
export function requestIdOf(given: string, ids: Iterable<string | undefined>): string | undefined {
  const found = new Set<string>();
  for (const id of ids) {
    if (id === given) return id;
    if (id?.startsWith(given)) found.add(id);
  }
  if (found.size <= 1) return [...found][0];
  const list = [...found].slice(0, SHOWN).join(', ');
  const more = found.size > SHOWN ? `, and ${found.size - SHOWN} more` : '';
  throw new Error(`${found.size} requests start with ${given}: ${list}${more}; write more of the id`);
}
