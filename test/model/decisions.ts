import type { RequestChanges, RequestDecision } from '../../src/directives/decision.js';
import { decideRequest } from '../../src/directives/request-decision.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import {
  type HeaderChanges,
  type HeaderField,
  headerChanges,
  isRemoval,
  valuesOf,
} from '../../src/http/headers.js';
import type { HttpRequest } from '../../src/http/message.js';
import type { RequestAnswer } from '../../src/sideband/messages.js';
import { echo, type Permit, permit, type RequestShowSettings, SHOW_ALL, showRequest } from './messages.js';

export function decide(
  answer: RequestAnswer,
  request: HttpRequest,
  settings: Partial<RequestShowSettings> = {},
): RequestDecision {
  return decideRequest(answer, request, showRequest(request, { ...SHOW_ALL, ...settings }));
}

export function requestChanges(
  request: HttpRequest,
  change: Partial<Omit<Permit, 'kind'>>,
  settings?: Partial<RequestShowSettings>,
): RequestChanges {
  const decision = decide(permit(request, change), request, settings);
  if (decision.kind !== 'permit') throw new Error('denied');
  return decision.changes;
}

export const changesOf = (...args: Parameters<typeof requestChanges>) => inParts(requestChanges(...args));

export type HeaderParts = { readonly set: Map<string, readonly string[]>; readonly remove: string[] };

/** The same changes, with what is set and what is removed apart. */
export function inParts<C extends { readonly headers: HeaderChanges }>(
  changes: C,
): Omit<C, 'headers'> & { readonly headers: HeaderParts } {
  return { ...changes, headers: headerParts(changes.headers) };
}

/** In the form of Kong. */
export function headersFrom(
  set: Iterable<readonly [string, readonly string[]]>,
  remove: readonly string[],
): HeaderChanges {
  const headers = headerChanges();
  for (const [name, values] of set) headers[name] = values;
  for (const name of remove) headers[name] = [];
  return headers;
}

export function headerParts(headers: HeaderChanges): HeaderParts {
  const parts: HeaderParts = { set: new Map(), remove: [] };
  for (const [name, value] of Object.entries(headers)) {
    if (isRemoval(value)) parts.remove.push(name);
    else parts.set.set(name, valuesOf(value));
  }
  return parts;
}

export function notesOf(request: HttpRequest, change: Partial<Omit<Permit, 'kind'>>): string[] {
  return decide(permit(request, change), request).notes.map(({ what, name }) => `${what} ${name}`);
}

export function errorOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof PingAuthError) return `${error.code}: ${error.detail}`;
    throw error;
  }
  return 'no error';
}

export const without = (request: HttpRequest, ...names: string[]): HeaderField[] =>
  echo(request.headers).filter(([name]) => !names.includes(name));
export const plus = (request: HttpRequest, ...fields: HeaderField[]): HeaderField[] => [
  ...echo(request.headers),
  ...fields,
];
