import { isLeftToKong } from '../http/header-rules.js';
import type { HttpResponse } from '../http/message.js';
import { decodeUtf8 } from '../http/text.js';
import { changedBody } from './changed-body.js';
import type { ResponseChanges } from './decision.js';

/**
 * The changes that make of the upstream's response another form of it, with what the policy made of that: the one message of
 * an event stream in the place of the stream, a JSON-RPC error in the place of a denial. The client gets that form even where
 * the policy changed nothing.
 *
 * @param changes relative to `shown`, whose body is text
 * @returns the same relative to `original`; the body is always new
 */
export function rebaseChanges(
  original: HttpResponse,
  shown: HttpResponse,
  changes: ResponseChanges,
): ResponseChanges {
  const set = new Map(changes.headers.set);
  const remove = new Set(changes.headers.remove);
  for (const [name, values] of shown.headers.toMap()) {
    if (set.has(name) || remove.has(name) || isLeftToKong(name)) continue;
    const own = original.headers.getAll(name);
    if (own.length !== values.length || values.some((value, at) => value !== own[at])) set.set(name, values);
  }
  for (const name of original.headers.names()) {
    if (!shown.headers.has(name) && !set.has(name) && !isLeftToKong(name)) remove.add(name);
  }
  for (const name of remove) if (!original.headers.has(name)) remove.delete(name);
  const text = decodeUtf8(changes.body ?? shown.body) ?? '';
  const written = changedBody(text, { set, remove: [...remove] }, original.headers);
  return { status: changes.status, headers: written.headers, body: written.bytes };
}
