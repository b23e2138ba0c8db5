import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderField } from '../http/headers.js';
import { jsonMember } from '../http/json-members.js';
import { decodeUtf8, isJsonObject, type JsonObject } from '../http/text.js';
import type { AnsweredResponse, Json, RequestAnswer, ResponseAnswer } from './messages.js';

/** Kong shows a plugin 1000 headers at most; with millions of them this process would do nothing else for a long time. */
const MAX_HEADERS = 2000;
/** JSON.parse takes any depth, JSON.stringify overflows the stack at a few thousand; no real answer is nested like that. */
export const MAX_DEPTH = 500;

/**
 * An answer that was read in steps, because it is large. A deny can't be lost in it: the members are those that JSON.parse would
 * make.
 */
export interface LargeAnswer {
  /** Those that are read, without `state`. */
  readonly members: JsonObject;
  /** Verbatim. */
  readonly state: string | undefined;
}

/**
 * Answer to /sideband/request. Any `response` member, whatever is in it, rules out a permit; JSON keys that occur twice
 * count with their last value, so even then a deny cannot turn into a permit.
 *
 * @param large of `parseLargeAnswer`, if the body is large
 * @throws PingAuthError `provider_not_json`, `provider_answer_invalid`
 */
export function readRequestAnswer(body: Uint8Array, large?: LargeAnswer): RequestAnswer {
  const text = large === undefined ? decode(body) : '';
  const answer = large?.members ?? parseObject(text);
  if (Object.hasOwn(answer, 'response')) {
    const { response } = answer;
    if (!isJsonObject(response)) throw invalid(`response: expected an object, got ${kindOf(response)}`);
    return { kind: 'deny', response: readResponse(response, 'response.') };
  }
  const method = requiredText(answer.method, 'method');
  const url = requiredText(answer.url, 'url');
  maybeCode(answer.http_version, 'http_version', '');
  const headers = readHeaders(answer.headers, '');
  const sent = maybeText(answer.body, 'body', '');
  const sourceIp = maybeText(answer.source_ip, 'source_ip', '');
  const sourcePort = maybeCode(answer.source_port, 'source_port', '');
  checkDepth(answer.client_certificate, 'client_certificate');
  checkDepth(answer.state, 'state');
  const state = Object.hasOwn(answer, 'state') ? jsonMember(text, 'state') : undefined;
  return {
    kind: 'permit',
    method,
    url,
    headers,
    body: sent,
    state: state === undefined ? large?.state : text.slice(state.valueStart, state.end),
    sourceIp,
    sourcePort,
    // Whatever JSON.parse made is JSON.
    clientCertificate: answer.client_certificate as Json | undefined,
  };
}

/** Answer to /sideband/response. @throws PingAuthError `provider_not_json`, `provider_answer_invalid` */
export function readResponseAnswer(body: Uint8Array, large?: LargeAnswer): ResponseAnswer {
  return readResponse(large?.members ?? parseObject(decode(body)), '');
}

/** A JSON object, or undefined: for error answers, which may be anything. */
export function jsonObjectOrUndefined(body: Uint8Array | undefined): JsonObject | undefined {
  try {
    return body === undefined ? undefined : parseObject(decode(body));
  } catch {
    return undefined;
  }
}

/** Text from the provider for a log line: short, one line, no control characters. */
export function logText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, 300).replace(/[^\x20-\x7e]/g, '?');
}

function decode(body: Uint8Array): string {
  if (body.length === 0) throw new PingAuthError('provider_not_json', { detail: 'the answer is empty' });
  const text = decodeUtf8(body);
  // Wrong bytes silently replaced would have something else carried out than the policy said.
  if (text === undefined) throw notUtf8();
  return text;
}

export function notUtf8(): PingAuthError {
  return new PingAuthError('provider_not_json', { detail: 'the answer is not UTF-8' });
}

/** @param start of the answer; the parser's own message repeats parts of it, which can hold tokens */
export function notJson(start: string, size: string): PingAuthError {
  const detail = /^\s*</.test(start)
    ? 'the answer looks like HTML or XML'
    : `${size} that are not a JSON text`;
  return new PingAuthError('provider_not_json', { detail });
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notJson(text, `${text.length} characters`);
  }
  if (!isJsonObject(value)) throw invalid(`expected an object, got ${kindOf(value)}`);
  return value;
}

function readResponse(answer: JsonObject, prefix: string): AnsweredResponse {
  const responseCode = maybeCode(answer.response_code, 'response_code', prefix);
  if (responseCode === undefined)
    throw unexpected(`${prefix}response_code`, 'text or a number', answer.response_code);
  maybeCode(answer.response_status, 'response_status', prefix);
  maybeCode(answer.http_version, 'http_version', prefix);
  return {
    responseCode,
    headers: readHeaders(answer.headers, prefix),
    body: maybeText(answer.body, 'body', prefix),
  };
}

/**
 * `[{"n":"v"}]`: one pair in every object. An own `__proto__` is a name like any other here: it is read as an entry, never
 * assigned. What is wrong is said without values.
 */
function readHeaders(value: unknown, prefix: string): readonly HeaderField[] {
  if (!Array.isArray(value)) throw unexpected(`${prefix}headers`, 'an array of single-pair objects', value);
  const items: readonly unknown[] = value;
  if (items.length > MAX_HEADERS) {
    throw invalid(`${prefix}headers: ${items.length} headers, ${MAX_HEADERS} are allowed`);
  }
  const fields: HeaderField[] = [];
  for (const item of items) {
    const where = () => `${prefix}headers: entry ${fields.length}`;
    if (!isJsonObject(item)) throw unexpected(where(), 'an object with one pair', item);
    const names = Object.keys(item);
    const [name] = names;
    if (name === undefined || names.length > 1) {
      throw invalid(`${where()}: expected an object with one pair, got ${names.length}`);
    }
    const text = item[name];
    if (typeof text !== 'string')
      throw invalid(`${where()}: the value must be a string, got ${kindOf(text)}`);
    fields.push([name, text]);
  }
  return fields;
}

function requiredText(value: unknown, member: string): string {
  if (typeof value !== 'string') throw unexpected(member, 'text', value);
  return value;
}

/** Null is as good as missing. */
function maybeText(value: unknown, member: string, prefix: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw unexpected(prefix + member, 'text', value);
  return value;
}

function maybeCode(value: unknown, member: string, prefix: string): string | number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw unexpected(prefix + member, 'text or a number', value);
  }
  return value;
}

function checkDepth(value: unknown, member: string): void {
  if (isDeeper(value, MAX_DEPTH)) throw invalid(`${member}: nested deeper than ${MAX_DEPTH}`);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const child of Object.values(value)) if (isDeeper(child, levels - 1)) return true;
  return false;
}

function unexpected(where: string, expected: string, value: unknown): PingAuthError {
  return invalid(`${where}: expected ${expected}, got ${kindOf(value)}`);
}

export function invalid(detail: string): PingAuthError {
  return new PingAuthError('provider_answer_invalid', { detail });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
