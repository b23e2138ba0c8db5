import { PingAuthError } from '../errors/ping-auth-error.js';
import {
  type HeaderChanges,
  type HeaderField,
  type HeaderList,
  headerChanges,
  isEmpty,
  NO_HEADER_CHANGES,
  oneOrMany,
  valuesOf,
} from '../http/header-list.js';
import {
  canonicalName,
  connectionTokens,
  isAlwaysRemoved,
  isKongRequestHeader,
  isRequestFraming,
  isReservedInRequest,
  isSingletonInRequest,
  MARK_HEADER,
} from '../http/header-rules.js';
import { type IgnoredDirective, NO_NOTES, NO_REQUEST_CHANGES, type RequestChanges } from './decision.js';
import { diffHeaders } from './header-diff.js';
import { checkSingleton } from './validation.js';

const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * The changes of a permit's headers. `Host` is not among them (see newUpstreamHost in request-decision.ts).
 *
 * A header that goes takes its `_`/`-` variants along, also ones that the answer echoes, and so does one that the policy
 * sets: `x_role` and `x-role` are one header to an upstream that reads CGI variables, so a client could otherwise keep
 * or outvote what the policy took away or set.
 * @param all the client's headers
 * @param shown those of them that the policy was shown
 * @throws PingAuthError `directive_invalid`; `request_unreadable` when the client's Connection header would undo a change.
 */
export function requestHeaderChanges(
  all: HeaderList,
  shown: HeaderList,
  answered: readonly HeaderField[],
): { readonly changes: HeaderChanges; readonly notes: readonly IgnoredDirective[] } {
  const diff = diffHeaders(shown, answered);
  if (isEmpty(diff)) {
    refuseUndone(answered, all);
    return { changes: alwaysRemoved(all), notes: NO_NOTES };
  }
  const hidden = hiddenNames(all, shown);
  const notes: IgnoredDirective[] = [];
  const changes = headerChanges();
  const touched = new Set<string>();
  for (const name of Object.keys(diff)) {
    const values = valuesOf(diff[name]);
    const isReserved = values.length > 0 ? isReservedInRequest(name) : isKongRequestHeader(name);
    if (isReserved && name !== 'host') notes.push({ what: 'dropped_header', name });
    if (isReserved || name === 'host') continue;
    if (values.length > 0) {
      refuseHidden(name, hidden);
      changes[name] = oneOrMany(isSingletonInRequest(name) ? oneLine(name, values, all) : values);
    } else if (isUntouchable(name)) continue;
    touched.add(canonicalName(name));
  }
  refuseUndone(answered, all);
  for (const name of all.names()) {
    const isGone =
      touched.has(canonicalName(name)) && !(name in changes) && !hidden.has(name) && !isUntouchable(name);
    if (isGone || isAlwaysRemoved(name)) changes[name] = [];
  }
  return { changes, notes };
}

/** @throws PingAuthError `directive_invalid`; `request_unreadable` when a line of the client would stay beside it. */
function oneLine(name: string, values: readonly string[], all: HeaderList): readonly string[] {
  const checked = checkSingleton(name, values);
  if (all.getAll(name).length > 1) {
    const detail = `header ${name} occurs twice, and the policy sets it: one of the client's would stay`;
    throw new PingAuthError('request_unreadable', { detail });
  }
  return checked;
}

/** For a request that goes on without a decision: marked for the upstream, a client's own mark overwritten. */
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
    name === 'host' || isKongRequestHeader(name) || (isRequestFraming(name) && canonicalName(name) === name)
  );
}

/** Headers of the client that `excluded_request_headers` keeps from the policy. */
function hiddenNames(all: HeaderList, shown: HeaderList): ReadonlySet<string> {
  if (all === shown) return NO_NAMES;
  const seen = new Set(shown.names());
  return new Set(all.names().filter((name) => !seen.has(name)));
}

/** Excluded headers stay as they are; a policy that sets one cannot be obeyed, and passing the client's would be worse. */
function refuseHidden(name: string, hidden: ReadonlySet<string>): void {
  if (!hidden.has(name)) return;
  const detail = `header ${name} is set by the policy but is in excluded_request_headers; take it off that list`;
  throw new PingAuthError('directive_invalid', { detail });
}

/**
 * `Connection: x-user` from a client makes Kong take `X-User` off after all plugins have run, and the upstream would
 * decide without it. That goes for every header that the policy wants to be there, not only for those that it changes: a
 * client that guesses the value beforehand would leave nothing to change.
 */
function refuseUndone(answered: readonly HeaderField[], all: HeaderList): void {
  const tokens = connectionTokens(all);
  if (tokens.size === 0) return;
  for (const [rawName] of answered) {
    const name = rawName.toLowerCase();
    if (!tokens.has(name) || isReservedInRequest(name)) continue;
    const detail = `the client's Connection header names ${name}, which the policy wants to reach the upstream`;
    throw new PingAuthError('request_unreadable', { detail });
  }
}
