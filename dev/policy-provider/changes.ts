import { fillJson, fillText, type Lookup, parseJson } from './message.js';
import type { WireHeaders } from './payload.js';
import type { ChangeRule, HeaderChangeRule, HeaderMap, JsonValue, RewriteRule } from './rules.js';

/** A message on its way through the rules. */
export interface Draft {
  method: string;
  url: string;
  headers: WireHeaders;
  body: string | undefined;
}

/** The wanted request: what the client sent with the rule's changes. */
export function changeRequest<T extends Draft>(draft: T, rule: ChangeRule, lookup: Lookup): T {
  return {
    ...draft,
    method: rule.method ?? draft.method,
    url: changeUrl(draft.url, rule, lookup),
    headers: changeHeaders(draft.headers, rule.headers, lookup),
    body: changeBody(draft.body, rule, lookup),
  };
}

/** As changeRequest for what changes headers and body of a response; the status is the caller's. */
export function changeContent<T extends Omit<Draft, 'method' | 'url'>>(
  draft: T,
  rule: RewriteRule,
  lookup: Lookup,
): T {
  return {
    ...draft,
    headers: changeHeaders(draft.headers, rule.headers, lookup),
    body: changeBody(draft.body, rule, lookup),
  };
}

/** A map of a rules file on the wire: a list of values makes a repeated header. */
export function wireHeaders(map: HeaderMap | undefined, lookup: Lookup): WireHeaders {
  return Object.entries(map ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => ({ [name]: fillText(value, lookup) })),
  );
}

function changeHeaders(
  headers: WireHeaders,
  rule: HeaderChangeRule | undefined,
  lookup: Lookup,
): WireHeaders {
  if (rule === undefined) return headers;
  const gone = new Set(
    [...(rule.remove ?? []), ...Object.keys(rule.set ?? {})].map((name) => name.toLowerCase()),
  );
  const kept = headers.filter((pair) => !Object.keys(pair).some((name) => gone.has(name.toLowerCase())));
  return [...kept, ...wireHeaders(rule.set, lookup), ...wireHeaders(rule.add, lookup)];
}

/** By text, not through `URL`: what the rule does not name must come back byte for byte. */
function changeUrl(url: string, rule: ChangeRule, lookup: Lookup): string {
  if (rule.url !== undefined) return fillText(rule.url, lookup);
  const [, origin = '', path = '', query = ''] = /^(https?:\/\/[^/]*)([^?]*)\??(.*)$/.exec(url) ?? [];
  const wantedPath = rule.path === undefined ? path : fillText(rule.path, lookup);
  const wantedQuery = changeQuery(query, rule.query, lookup);
  return `${origin}${wantedPath}${wantedQuery === '' ? '' : `?${wantedQuery}`}`;
}

function changeQuery(query: string, rule: ChangeRule['query'], lookup: Lookup): string {
  if (rule === undefined) return query;
  if (rule.raw !== undefined) return fillText(rule.raw, lookup);
  const gone = new Set([...(rule.remove ?? []), ...Object.keys(rule.set ?? {})]);
  const kept = query.split('&').filter((part) => part !== '' && !gone.has(part.split('=', 1)[0] ?? ''));
  const set = Object.entries(rule.set ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(fillText(value, lookup))}`,
  );
  return [...kept, ...set].join('&');
}

function changeBody(
  body: string | undefined,
  rule: Pick<RewriteRule, 'body' | 'json' | 'strip' | 'replace'>,
  lookup: Lookup,
): string | undefined {
  const text = newText(body, rule, lookup);
  return Object.entries(rule.replace ?? {}).reduce(
    (rest, [pattern, by]) => rest?.replaceAll(new RegExp(pattern, 'g'), by),
    text,
  );
}

function newText(
  body: string | undefined,
  rule: Pick<RewriteRule, 'body' | 'json' | 'strip'>,
  lookup: Lookup,
): string | undefined {
  if (rule.body !== undefined) return fillText(rule.body, lookup);
  if (rule.json !== undefined) return JSON.stringify(fillJson(rule.json, lookup));
  if (rule.strip === undefined) return body;
  const value = parseJson(body);
  if (value === undefined) return body;
  return JSON.stringify(rule.strip.reduce((rest, path) => without(rest, path.split('.')), value));
}

function without(value: JsonValue, [first = '', ...rest]: readonly string[]): JsonValue {
  if (Array.isArray(value)) return value.map((item) => without(item, [first, ...rest]));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== first || rest.length > 0)
      .map(([key, child]) => [key, key === first ? without(child, rest) : child]),
  );
}
