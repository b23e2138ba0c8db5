import { PingAuthError } from '../errors/ping-auth-error.js';
import {
  canonicalName,
  connectionTokens,
  type HeaderChanges,
  type HeaderField,
  type HeaderList,
  headerChanges,
  isAlwaysRemoved,
  isEmpty,
  isRequestFraming,
  isReservedInRequest,
  isReservedInResponse,
  KONG_REQUEST_HEADERS,
  LEFT_TO_KONG,
  MARK_HEADER,
  NO_HEADER_CHANGES,
  oneOrMany,
  SINGLETONS_IN_REQUEST,
  SINGLETONS_IN_RESPONSE,
  valuesOf,
} from '../http/headers.js';
import { toWireText, trimBlanks } from '../http/text.js';
import { type IgnoredDirective, NO_REQUEST_CHANGES, type RequestChanges } from './decision.js';
import { checkHeaderName, checkHeaderValue, checkSingleton, invalid } from './validation.js';

/** Missing in an answer, these stay, as with the existing plugin: a provider leaves them out without meaning anything by it. */
const KEPT_IN_RESPONSE: ReadonlySet<string> = new Set([...LEFT_TO_KONG, 'vary']);

/**
 * The changes of a permit's headers. `Host` is not among them (see newUpstreamHost in request-decision.ts).
 *
 * A header that goes takes its `_`/`-` variants along, also ones that the answer echoes, and so does one that the policy
 * sets: `x_role` and `x-role` are one header to an upstream that reads CGI variables, so a client could otherwise keep
 * or outvote what the policy took away or set.
 * @param all the client's headers
 * @param shown those of them that the policy was shown
 * @param notes gets what is ignored
 * @throws PingAuthError `directive_invalid`; `request_unreadable` when the client's Connection header would cancel a change.
 */
export function requestHeaderChanges(
  all: HeaderList,
  shown: HeaderList,
  answered: readonly HeaderField[],
  notes: IgnoredDirective[],
): HeaderChanges {
  const diff = diffHeaders(shown, answered);
  if (isEmpty(diff)) {
    refuseCancelled(answered, all);
    return alwaysRemoved(all);
  }
  // A set, since a client may send a thousand headers.
  const hidden = new Set(all.names());
  for (const [name] of shown) hidden.delete(name);
  const changes = headerChanges();
  const touched = new Set<string>();
  for (const name of Object.keys(diff)) {
    const values = valuesOf(diff[name]);
    const isReserved = values.length > 0 ? isReservedInRequest(name) : KONG_REQUEST_HEADERS.has(name);
    if (isReserved && name !== 'host') notes.push({ what: 'dropped_header', name });
    if (isReserved || name === 'host') continue;
    if (values.length > 0) {
      changes[name] = newRequestValues(name, values, all, hidden);
    } else if (isUntouchable(name)) continue;
    touched.add(canonicalName(name));
  }
  refuseCancelled(answered, all);
  for (const name of all.names()) {
    const isGone =
      touched.has(canonicalName(name)) && !(name in changes) && !hidden.has(name) && !isUntouchable(name);
    if (isGone || isAlwaysRemoved(name)) changes[name] = [];
  }
  return changes;
}

/** @throws PingAuthError `directive_invalid`; `request_unreadable` when a line of the client would stay beside it. */
function newRequestValues(
  name: string,
  values: readonly string[],
  all: HeaderList,
  hidden: ReadonlySet<string>,
): string | readonly string[] {
  // Excluded headers stay as they are; a policy that sets one cannot be obeyed, and passing the client's would be worse.
  if (hidden.has(name)) {
    throw invalid(
      `header ${name} is set by the policy but is in excluded_request_headers; take it off that list`,
    );
  }
  if (!SINGLETONS_IN_REQUEST.has(name)) return oneOrMany(values);
  const checked = checkSingleton(name, values);
  if (all.getAll(name).length > 1) {
    const detail = `header ${name} occurs twice, and the policy sets it: one of the client's would stay`;
    throw new PingAuthError('request_unreadable', { detail });
  }
  return oneOrMany(checked);
}

/** For a request that is forwarded without a decision: marked for the upstream, a client's own mark overwritten. */
export function failOpenChanges(headers: HeaderList): RequestChanges {
  return {
    ...NO_REQUEST_CHANGES,
    headers: { ...alwaysRemoved(headers), [MARK_HEADER]: 'fail-open' },
  };
}

function alwaysRemoved(all: HeaderList): HeaderChanges {
  let changes: Record<string, readonly string[] | string> | undefined;
  for (const [name] of all.fields) {
    if (!isAlwaysRemoved(name)) continue;
    changes ??= headerChanges();
    changes[name] = [];
  }
  return changes ?? NO_HEADER_CHANGES;
}

/** Not to be removed either. A client's `Content_Length` may be: that one is an ordinary header to nginx. */
function isUntouchable(name: string): boolean {
  return (
    name === 'host' ||
    KONG_REQUEST_HEADERS.has(name) ||
    (isRequestFraming(name) && canonicalName(name) === name)
  );
}

/**
 * `Connection: x-user` from a client makes Kong take `X-User` off after all plugins have run, and the upstream would
 * decide without it. That goes for every header that the policy wants to be there, not only for those that it changes: a
 * client that guesses the value beforehand would leave nothing to change.
 */
function refuseCancelled(answered: readonly HeaderField[], all: HeaderList): void {
  const tokens = connectionTokens(all);
  if (tokens.size === 0) return;
  for (const [rawName] of answered) {
    const name = rawName.toLowerCase();
    if (!tokens.has(name) || isReservedInRequest(name)) continue;
    const detail = `the client's Connection header names ${name}, which the policy wants to reach the upstream`;
    throw new PingAuthError('request_unreadable', { detail });
  }
}

/**
 * The changes of an answer's headers against the upstream's. Hop-by-hop and framing headers are never set; the others of
 * them may be taken away.
 * @param notes gets what is ignored
 * @throws PingAuthError `directive_invalid`
 */
export function responseHeaderChanges(
  shown: HeaderList,
  answered: readonly HeaderField[],
  notes: IgnoredDirective[],
): HeaderChanges {
  // Kong writes `x_under` as `x-under` in a response, so the two are one name here.
  const diff = diffHeaders(shown, answered, canonicalName);
  if (isEmpty(diff)) return NO_HEADER_CHANGES;
  const changes = headerChanges();
  for (const name of Object.keys(diff)) {
    const values = valuesOf(diff[name]);
    if (values.length === 0) {
      if (!KEPT_IN_RESPONSE.has(name)) changes[name] = [];
    } else if (!isReservedInResponse(name)) {
      changes[name] = oneOrMany(SINGLETONS_IN_RESPONSE.has(name) ? checkSingleton(name, values) : values);
    } else if (name !== 'content-length') {
      // A length is in nearly every answer and is always computed again: nothing that anybody has to know.
      notes.push({ what: 'dropped_header', name });
    }
  }
  return changes;
}

/**
 * Compares with what was SHOWN, not with the bytes: a value that comes back as it was shown keeps its original bytes, be
 * they UTF-8 or not. When one value of several changed, the whole list is written, the other ones with their own bytes.
 * @param nameOf the name in which a header that was not shown is written
 * @returns what is new or changed, and `[]` for what was shown and is not in the answer
 * @throws PingAuthError `directive_invalid`
 */
function diffHeaders(
  shown: HeaderList,
  answered: readonly HeaderField[],
  nameOf: (name: string) => string = (name) => name,
): HeaderChanges {
  if (isEcho(shown.fields, answered)) return NO_HEADER_CHANGES;
  const originals = shown.toRecord();
  const wanted = new Map<string, string[]>();
  for (const [rawName, value] of answered) {
    const lower = rawName.toLowerCase();
    // A name that was shown is the sender's own, odd as it may be: the policy only repeats it.
    const name = lower in originals ? lower : nameOf(checkHeaderName(rawName));
    const values = wanted.get(name);
    if (values) values.push(value);
    else wanted.set(name, [value]);
  }
  const changed = headerChanges();
  for (const [name, values] of wanted) {
    const before = valuesOf(originals[name]);
    const after = withOriginalBytes(name, values, before);
    if (after.length !== before.length || after.some((value, at) => value !== before[at]))
      changed[checkHeaderName(name)] = after;
  }
  for (const name of Object.keys(originals)) if (!wanted.has(name)) changed[name] = [];
  return changed;
}

/** The answer repeats what was shown, field by field, as most answers do. */
function isEcho(shown: readonly HeaderField[], answered: readonly HeaderField[]): boolean {
  if (shown.length !== answered.length) return false;
  for (let at = 0; at < shown.length; at++) {
    const was = shown[at];
    const is = answered[at];
    if (was?.[0] !== is?.[0] || was?.[1] !== is?.[1]) return false;
  }
  return true;
}

function withOriginalBytes(name: string, values: readonly string[], originals: readonly string[]): string[] {
  const unused = originals.map((original) => ({ original, text: trimBlanks(toWireText(original)) }));
  return values.map((value) => {
    const text = trimBlanks(value);
    const at = unused.findIndex((candidate) => candidate.text === text);
    const [match] = at < 0 ? [] : unused.splice(at, 1);
    return match === undefined ? checkHeaderValue(name, value) : match.original;
  });
}
