import { headerChanges, isRemoval, oneOrMany, valuesOf } from '../http/header-list.js';
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
  const headers = headerChanges(changes.headers);
  const wanted = shown.headers.toRecord();
  for (const name of Object.keys(wanted)) {
    if (name in headers || isLeftToKong(name)) continue;
    const values = valuesOf(wanted[name]);
    const own = original.headers.getAll(name);
    if (own.length !== values.length || values.some((value, at) => value !== own[at]))
      headers[name] = oneOrMany(values);
  }
  for (const name of original.headers.names()) {
    if (!shown.headers.has(name) && !(name in headers) && !isLeftToKong(name)) headers[name] = [];
  }
  for (const name of Object.keys(headers)) {
    if (isRemoval(headers[name]) && !original.headers.has(name)) delete headers[name];
  }
  const text = decodeUtf8(changes.body ?? shown.body) ?? '';
  const written = changedBody(text, headers, original.headers);
  return { status: changes.status, headers: written.headers, body: written.bytes };
}
