import { isJsonObject, type JsonObject, parseJson } from '../http/text.js';

/**
 * Kong logs a plugin server's output line by line and nginx cuts each at 2048 bytes, its own prefix and suffix (time,
 * pids, `[ping-auth:123]`, context) included. 1800 leaves room for those, so that a line stays whole and valid JSON.
 */
export const MAX_LINE_BYTES = 1800;

/** Members that identify a line; never cut away, whatever else has to go. */
const KEPT = ['level', 'time', 'pid', 'msg', 'request_id', 'phase', 'decision', 'code'];

/** Each round cuts strings to that many characters and lists to that many items, until the line fits. */
const ROUNDS: readonly (readonly [characters: number, items: number])[] = [
  [600, 60],
  [300, 40],
  [150, 25],
  [80, 15],
  [40, 8],
  [20, 4],
];

/**
 * The same JSON line in at most `maxBytes` bytes (line feed included): long strings and lists are cut, and
 * `"shortened":true` says so. A line that is short enough is returned as it is, without being parsed.
 */
export function shortenLine(line: string, maxBytes: number = MAX_LINE_BYTES): string {
  // A UTF-16 code unit is three bytes of UTF-8 at most: most lines need no count.
  if (line.length * 3 <= maxBytes || Buffer.byteLength(line) <= maxBytes) return line;
  const record = parseJson(line);
  if (!isJsonObject(record)) return `${JSON.stringify({ level: 'warn', msg: 'log line lost: not JSON' })}\n`;
  for (const [characters, items] of ROUNDS) {
    const shorter = `${JSON.stringify({ ...cutMembers(record, characters, items), shortened: true })}\n`;
    if (Buffer.byteLength(shorter) <= maxBytes) return shorter;
  }
  const core: Record<string, unknown> = {};
  for (const name of KEPT) if (name in record) core[name] = cut(record[name], 60, 0);
  return `${JSON.stringify({ ...core, shortened: true })}\n`;
}

function cutMembers(record: JsonObject, characters: number, items: number) {
  const entries = Object.entries(record);
  const kept = entries.slice(0, Math.max(items, KEPT.length)).map(([k, v]) => [k, cut(v, characters, items)]);
  if (entries.length > kept.length) kept.push(['…', `${entries.length - kept.length} more`]);
  return Object.fromEntries(kept) as Record<string, unknown>;
}

function cut(value: unknown, characters: number, items: number): unknown {
  if (typeof value === 'string') return cutText(value, characters);
  if (Array.isArray(value)) {
    const kept = value.slice(0, items).map((item) => cut(item, characters, items));
    return value.length > items ? [...kept, `… ${value.length - items} more`] : kept;
  }
  return isJsonObject(value) ? cutMembers(value, characters, items) : value;
}

/**
 * At most `characters` code units of `text`, never half a surrogate pair, with a note of how much is missing.
 * @param missing what is missing of it already
 */
export function cutText(text: string, characters: number, missing = 0): string {
  if (text.length <= characters) return text;
  const last = text.charCodeAt(characters - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? characters - 1 : characters;
  return `${text.slice(0, end)}… ${text.length - end + missing} more`;
}
