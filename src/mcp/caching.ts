import type { HeaderList } from '../http/headers.js';
import { type JsonMember, jsonMembers } from '../http/json-members.js';
import { parseJson } from '../http/text.js';

/** The members are there in one spelling or the other; nearly all results have none, and are not looked through. */
const MAY_HAVE_HINTS = /cacheScope|ttlMs|\\u/;

/**
 * A response whose result nobody shares: where it says how long it may be cached (`ttlMs`) or by whom (`cacheScope`), the
 * scope is private and the time at most `maxTtlMs`. What a policy let pass for one caller another one may not see, also when
 * the policy changed nothing. All other text stays verbatim.
 *
 * @param text of a JSON-RPC response
 * @param maxTtlMs undefined: as long as the server says
 */
export function privateResult(text: string, maxTtlMs: number | undefined): string {
  if (!MAY_HAVE_HINTS.test(text) || parseJson(text) === undefined) return text;
  const edits: Edit[] = [];
  for (const { name, valueStart } of jsonMembers(text)) {
    if (name === 'result' && text[valueStart] === '{') edits.push(...editsOf(text, valueStart, maxTtlMs));
  }
  return edits.reduceRight((rest, { from, to, by }) => rest.slice(0, from) + by + rest.slice(to), text);
}

/** A replacement in a text; in order, and apart from one another. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly by: string;
}

function editsOf(text: string, result: number, maxTtlMs: number | undefined): Edit[] {
  const edits: Edit[] = [];
  let hasScope = false;
  let hasHints = false;
  for (const member of jsonMembers(text, result)) {
    const { name, valueStart: from, end: to } = member;
    if (name === 'cacheScope') {
      hasScope = true;
      if (memberValue(text, member) !== 'private') edits.push({ from, to, by: '"private"' });
    } else if (name === 'ttlMs') {
      hasHints = true;
      const ttl = memberValue(text, member);
      // What is no number may be one to a generous reader.
      const isWithin = typeof ttl === 'number' && ttl <= (maxTtlMs ?? ttl);
      if (!isWithin && maxTtlMs !== undefined) edits.push({ from, to, by: String(maxTtlMs) });
    }
  }
  // Behind the opening brace, so before all the others.
  if (hasHints && !hasScope)
    edits.unshift({ from: result + 1, to: result + 1, by: '"cacheScope":"private",' });
  return edits;
}

function memberValue(text: string, { valueStart, end }: JsonMember): unknown {
  return parseJson(text.slice(valueStart, end));
}

/** What to put in the place of a response's Cache-Control; undefined when it forbids to store the response already. */
export function privateCacheControl(headers: HeaderList): string | undefined {
  const directives = headers.getAll('cache-control').flatMap((value) => value.toLowerCase().split(','));
  return directives.some((directive) => directive.trim() === 'no-store') ? undefined : 'no-store';
}
