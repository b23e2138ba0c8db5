import type { RequestPayload, ResponsePayload, WireHeaders } from './payload.js';
import type { JsonValue, Match } from './rules.js';

/** One call as the rules see it. `request` and `state` are what the request call left for the response call. */
export type Call =
  | { readonly phase: 'request'; readonly payload: RequestPayload }
  | { readonly phase: 'response'; readonly payload: ResponsePayload };

/** First value of a header, or undefined. Names are compared without regard to case. */
export function headerValue(headers: WireHeaders, name: string): string | undefined {
  return headerValues(headers, name)[0];
}

export function headerValues(headers: WireHeaders, name: string): string[] {
  const wanted = name.toLowerCase();
  return headers.flatMap((pair) =>
    Object.entries(pair)
      .filter(([candidate]) => candidate.toLowerCase() === wanted)
      .map(([, value]) => value),
  );
}

/** Path of a sideband URL, still escaped. */
export function pathOf(url: string): string {
  return /^https?:\/\/[^/]*([^?]*)/.exec(url)?.[1] ?? '';
}

/**
 * Names for placeholders: `method`, `url`, `path`, `query.NAME`, `header.NAME`, `body`, `json.A.B`, `source_ip`, and in
 * the response phase `status`, `state.A.B`, `request.method`, `request.url`, `request.header.NAME`, `request.json.A.B`.
 */
export function lookupIn(call: Call): Lookup {
  const { payload } = call;
  return (name) => {
    const [first = '', ...rest] = name.split('.');
    if (first === 'source_ip')
      return call.phase === 'request' ? call.payload.source_ip : call.payload.request?.source_ip;
    if (call.phase === 'response') {
      if (first === 'status') return call.payload.response_code;
      if (first === 'state') return atPath(call.payload.state, rest);
      if (first === 'request') return call.payload.request && inMessage(call.payload.request, rest);
    }
    return inMessage(payload, [first, ...rest]);
  };
}

function inMessage(
  message: { method: string; url: string; headers: WireHeaders; body?: string | undefined },
  [first, ...rest]: readonly string[],
): JsonValue | undefined {
  const name = rest.join('.');
  switch (first) {
    case 'method':
      return message.method;
    case 'url':
      return message.url;
    case 'path':
      return pathOf(message.url);
    case 'query':
      return new URL(message.url).searchParams.get(name) ?? undefined;
    case 'header':
      return headerValue(message.headers, name);
    case 'body':
      return message.body;
    case 'json':
      return atPath(parseJson(message.body), rest);
    default:
      return undefined;
  }
}

/** undefined for a text that is not JSON. */
export function parseJson(text: string | undefined): JsonValue | undefined {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** Whether every condition of a rule holds for a call. */
export function matches(match: Match, call: Call): boolean {
  const { payload } = call;
  if (match.phase !== undefined && match.phase !== call.phase) return false;
  if (!anyText(match.method, payload.method, textPattern)) return false;
  if (!anyText(match.path, pathOf(payload.url), pathPattern)) return false;
  if (!headersMatch(match.header, payload.headers)) return false;
  if (match.status === undefined && match.state === undefined && match.request === undefined) return true;
  if (call.phase !== 'response') return false;
  return (
    (match.status === undefined || [match.status].flat().includes(Number(call.payload.response_code))) &&
    (match.state === undefined || holds(call.payload.state, match.state)) &&
    (match.request === undefined || requestMatches(match.request, call.payload.request))
  );
}

function requestMatches(
  wanted: NonNullable<Match['request']>,
  request: { method: string; headers: WireHeaders } | undefined,
): boolean {
  if (request === undefined) return false;
  return anyText(wanted.method, request.method, textPattern) && headersMatch(wanted.header, request.headers);
}

function headersMatch(wanted: Match['header'], headers: WireHeaders): boolean {
  return Object.entries(wanted ?? {}).every(([name, pattern]) => {
    const values = headerValues(headers, name);
    return pattern === null ? values.length === 0 : values.some((value) => textPattern(pattern).test(value));
  });
}

function anyText(
  patterns: string | string[] | undefined,
  value: string,
  compile: (pattern: string) => RegExp,
): boolean {
  return patterns === undefined || [patterns].flat().some((pattern) => compile(pattern).test(value));
}

/** True when `actual` holds everything that `wanted` holds: objects member by member, all else equal. */
function holds(actual: JsonValue | undefined, wanted: JsonValue): boolean {
  if (wanted === null || typeof wanted !== 'object') return actual === wanted;
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item, index) => holds(actual[index], item))
    );
  }
  if (actual === null || typeof actual !== 'object' || Array.isArray(actual)) return false;
  return Object.entries(wanted).every(([key, value]) => holds(actual[key], value));
}

const compiled = new Map<string, RegExp>();

/** `*` is any text. */
function textPattern(pattern: string): RegExp {
  return compile(`t${pattern}`, () => pattern.split('*').map(literally).join('[^]*'));
}

/** `*` is any text within one segment, `**` any text at all. */
function pathPattern(pattern: string): RegExp {
  return compile(`p${pattern}`, () =>
    pattern
      .split('**')
      .map((part) => part.split('*').map(literally).join('[^/]*'))
      .join('[^]*'),
  );
}

function compile(key: string, source: () => string): RegExp {
  const known = compiled.get(key);
  if (known) return known;
  const pattern = new RegExp(`^${source()}$`);
  compiled.set(key, pattern);
  return pattern;
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** What a `{{name}}` in a rule may refer to. */
export type Lookup = (name: string) => JsonValue | undefined;

const PLACEHOLDER = /\{\{\s*([^{}]+?)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}]+?)\s*\}\}$/;

/** Replaces every `{{name}}`; what is not known becomes nothing, what is not a string becomes JSON. */
export function fillText(template: string, lookup: Lookup): string {
  return template.replace(PLACEHOLDER, (_, name: string) => {
    const value = lookup(name) ?? '';
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}

/** The same in every string of a JSON value. A string that is one placeholder and nothing else becomes the value itself. */
export function fillJson(template: JsonValue, lookup: Lookup): JsonValue {
  if (typeof template === 'string') {
    const name = WHOLE.exec(template)?.[1];
    return name === undefined ? fillText(template, lookup) : (lookup(name) ?? null);
  }
  if (Array.isArray(template)) return template.map((item) => fillJson(item, lookup));
  if (template === null || typeof template !== 'object') return template;
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fillJson(value, lookup)]));
}

/** The value at `a.b.0` of a JSON value; undefined when the way ends early. */
export function atPath(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let current = value;
  for (const step of path) {
    if (Array.isArray(current)) current = current[Number(step)];
    else if (current !== null && typeof current === 'object' && Object.hasOwn(current, step))
      current = current[step];
    else return undefined;
  }
  return current;
}
