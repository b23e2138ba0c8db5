// In what two decisions about the same message differ.
import type { Explanation } from './explanation.js';
import { compareMessages } from './message-difference.js';
import { type MessageText, pathOf } from './message-text.js';
import { pathPattern } from './path-pattern.js';

export interface Decision {
  readonly phase: 'access' | 'response';
  readonly explanation: Explanation;
}

/** `permit`, `deny 403`, `refuse directive_invalid`, `pass`. */
export function decisionInWords({ phase, explanation }: Decision): string {
  const { decision, diff } = explanation;
  if (typeof decision === 'object') return `refuse ${decision.refused}`;
  if (decision === 'denied') return `deny ${diff?.after.message?.start.slice(0, 3) ?? ''}`.trim();
  return phase === 'access' ? 'permit' : 'pass';
}

/**
 * What is different, in words that are the same for the same kind of difference: `permit → deny 403`, or of what is forwarded
 * `method`, `path`, `query`, `status`, `header:x-a`, `body`. Empty: the same decision.
 * @param ignored names of headers that do not count, in lower case
 */
export function differencesOf(before: Decision, now: Decision, ignored: ReadonlySet<string>): string[] {
  const [was, is] = [decisionInWords(before), decisionInWords(now)];
  if (was !== is) return [`${was} → ${is}`];
  const [old, fresh] = [messageOf(before), messageOf(now)];
  const { start, headers, body } = compareMessages(old, fresh);
  const isBodyChanged = body.some(({ change }) => change !== 'same');
  const names = headers
    .filter(({ change, name }) => change !== 'same' && !ignored.has(name))
    // Follows from the body.
    .filter(({ name }) => !(isBodyChanged && name === 'content-length'))
    .map(({ name }) => `header:${name}`);
  return [
    ...(start.change === 'same' ? [] : startDifferences(old?.start ?? '', fresh?.start ?? '')),
    ...[...new Set(names)].sort(),
    ...(isBodyChanged ? ['body'] : []),
  ];
}

/** Of a URL's path, with the parts that look like ids replaced: `/orders/{id}/items`. */
export function urlPattern(url: string): string {
  return pathPattern(pathOf(url));
}

function messageOf({ explanation }: Decision): MessageText | undefined {
  return explanation.diff?.after.message;
}

/** Of two start lines that differ: `GET https://h:443/a?b`, `200 OK`. */
function startDifferences(before: string, after: string): string[] {
  const [old, now] = [startParts(before), startParts(after)];
  if (old === undefined || now === undefined) return ['status'];
  const names = ['method', 'host', 'path', 'query'] as const;
  return names.filter((_, index) => old[index] !== now[index]);
}

function startParts(start: string): string[] | undefined {
  const [, method = '', host = '', path = '', query = ''] =
    /^(\S+) (https?:\/\/[^/?#]*)([^?]*)(.*)$/.exec(start) ?? [];
  return host === '' ? undefined : [method, host, path, query];
}
