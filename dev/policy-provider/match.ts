import { type Call, headerValues, pathOf } from './message.js';
import type { WireHeaders } from './payload.js';
import type { JsonValue, Match } from './rules.js';

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
