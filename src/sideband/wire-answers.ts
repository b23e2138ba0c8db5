import { isUtf8 } from 'node:buffer';
import * as z from 'zod';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderField } from '../exchange/header-list.js';
import type { AnsweredResponse, Json, RequestAnswer, ResponseAnswer } from '../exchange/sideband-message.js';

const TEXT = z.string();
const CODE = z.union([z.string(), z.number()]);
/** Members that may be missing or null. */
const MAYBE_TEXT = z.string().nullish();
const MAYBE_CODE = CODE.nullish();

/**
 * `[{"n":"v"}]`: one pair in every object. By hand, because there can be a thousand of them and zod would build every
 * object anew. An own `__proto__` is a name like any other here: it is read as an entry, never assigned.
 */
const HEADERS = z.unknown().transform((value, context): readonly HeaderField[] => {
  const fields: HeaderField[] = [];
  const problem = readHeaders(value, fields);
  if (problem !== undefined) context.addIssue(problem);
  return fields;
});

const ANSWERED_RESPONSE = z.object({
  response_code: CODE,
  response_status: MAYBE_CODE,
  http_version: MAYBE_CODE,
  headers: HEADERS,
  body: MAYBE_TEXT,
});

/** Kong shows a plugin 1000 headers at most; with millions of them this process would do nothing else for a long time. */
const MAX_HEADERS = 2000;
/** JSON.parse takes any depth, JSON.stringify overflows the stack at a few thousand; nobody nests like that in earnest. */
const MAX_DEPTH = 500;
/** A member of any shape. */
const ANYTHING = z
  .unknown()
  .refine((value) => !isDeeper(value, MAX_DEPTH), { message: `nested deeper than ${MAX_DEPTH}` })
  .optional();

const PERMITTED_REQUEST = z.object({
  method: TEXT,
  url: TEXT,
  http_version: MAYBE_CODE,
  headers: HEADERS,
  body: MAYBE_TEXT,
  source_ip: MAYBE_TEXT,
  source_port: MAYBE_CODE,
  client_certificate: ANYTHING,
  state: ANYTHING,
});

/**
 * Answer to /sideband/request. Any `response` member, whatever is in it, rules out a permit; JSON keys that occur twice
 * count with their last value, so even then a deny cannot turn into a permit.
 *
 * @throws PingAuthError `provider_not_json`, `provider_answer_invalid`
 */
export function readRequestAnswer(body: Uint8Array): RequestAnswer {
  const raw = readObject(body);
  if (Object.hasOwn(raw, 'response')) {
    return {
      kind: 'deny',
      response: answeredResponse(checked(ANSWERED_RESPONSE, raw.response, 'response.')),
    };
  }
  const permit = checked(PERMITTED_REQUEST, raw, '');
  return {
    kind: 'permit',
    method: permit.method,
    url: permit.url,
    headers: permit.headers,
    body: permit.body ?? undefined,
    // Whatever JSON.parse made is JSON.
    state: Object.hasOwn(raw, 'state') ? (permit.state as Json) : undefined,
    sourceIp: permit.source_ip ?? undefined,
    sourcePort: permit.source_port ?? undefined,
    clientCertificate: permit.client_certificate as Json | undefined,
  };
}

/** Answer to /sideband/response. @throws PingAuthError `provider_not_json`, `provider_answer_invalid` */
export function readResponseAnswer(body: Uint8Array): ResponseAnswer {
  return answeredResponse(checked(ANSWERED_RESPONSE, readObject(body), ''));
}

/** A JSON object, or undefined: for error answers, which may be anything. */
export function jsonObjectOrUndefined(
  body: Uint8Array | undefined,
): Readonly<Record<string, unknown>> | undefined {
  try {
    return body === undefined ? undefined : readObject(body);
  } catch {
    return undefined;
  }
}

function answeredResponse(answer: z.output<typeof ANSWERED_RESPONSE>): AnsweredResponse {
  return { responseCode: answer.response_code, headers: answer.headers, body: answer.body ?? undefined };
}

function readObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  if (body.length === 0) throw new PingAuthError('provider_not_json', { detail: 'the answer is empty' });
  // Decoding would replace wrong bytes without a word, and something else than the policy said would be carried out.
  if (!isUtf8(body)) throw new PingAuthError('provider_not_json', { detail: 'the answer is not UTF-8' });
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    // The parser's own message repeats parts of the answer, which can hold tokens.
    const html = /^\s*</.test(Buffer.from(body.subarray(0, 64)).toString('latin1'));
    throw new PingAuthError('provider_not_json', {
      detail: html ? 'the answer looks like HTML or XML' : `${body.length} bytes that are not a JSON text`,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PingAuthError('provider_answer_invalid', {
      detail: `expected an object, got ${kindOf(value)}`,
    });
  }
  return value as Readonly<Record<string, unknown>>;
}

function checked<T>(schema: z.ZodType<T>, value: unknown, prefix: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const path = issue.path.join('.');
    return `${prefix}${path === '' ? '(the value)' : path}: ${issue.message}`;
  });
  throw new PingAuthError('provider_answer_invalid', { detail: problems.slice(0, 5).join('; ') });
}

/** Fills `fields`; says what is wrong, without values. */
function readHeaders(value: unknown, fields: HeaderField[]): string | undefined {
  if (!Array.isArray(value)) return `expected an array of single-pair objects, got ${kindOf(value)}`;
  if (value.length > MAX_HEADERS) return `${value.length} headers, ${MAX_HEADERS} are allowed`;
  for (const [index, item] of (value as unknown[]).entries()) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      return `entry ${index}: expected an object with one pair, got ${kindOf(item)}`;
    }
    const names = Object.keys(item);
    const [name] = names;
    if (name === undefined || names.length > 1) {
      return `entry ${index}: expected an object with one pair, got ${names.length}`;
    }
    // An own member, even if it is called __proto__.
    const text = (item as Readonly<Record<string, unknown>>)[name];
    if (typeof text !== 'string') return `entry ${index}: the value must be a string, got ${kindOf(text)}`;
    fields.push([name, text]);
  }
  return undefined;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const child of Object.values(value)) if (isDeeper(child, levels - 1)) return true;
  return false;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
