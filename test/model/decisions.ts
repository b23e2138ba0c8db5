import type { RequestChanges, RequestDecision } from '../../src/directives/decision.js';
import { decideRequest } from '../../src/directives/request-decision.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import type { HeaderField } from '../../src/http/header-list.js';
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

export function changesOf(
  request: HttpRequest,
  change: Partial<Omit<Permit, 'kind'>>,
  settings?: Partial<RequestShowSettings>,
): RequestChanges {
  const decision = decide(permit(request, change), request, settings);
  if (decision.kind !== 'permit') throw new Error('denied');
  return decision.changes;
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
