import * as z from 'zod';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { isJsonObject, type JsonObject, parseJson } from '../http/text.js';
import { OUTCOMES, PHASES, SHADOW_RESULTS } from '../telemetry/decision-log.js';

const TEXT = z.string().optional();
const NUMBER = z.number().optional();
/** `"…3 more"` may stand in lists of a line that was shortened. */
const NAMES = z.array(z.string()).optional();
const COMMON = {
  phase: z.enum(PHASES),
  request_id: TEXT,
  /** Of a recording (--record-file) and of decisions. */
  route: TEXT,
  service: TEXT,
  provider: TEXT,
  pid: NUMBER,
  /** Standard output's lines are cut at 1800 bytes and say so; those of --log-file are whole. */
  shortened: z.boolean().optional(),
};

const DECISION = z.object({
  ...COMMON,
  decision: z.enum(OUTCOMES),
  method: TEXT,
  path: TEXT,
  status: NUMBER,
  code: TEXT,
  detail: TEXT,
  provider_ms: NUMBER,
  ms: NUMBER,
  changed: NAMES,
  ignored: NAMES,
  mcp: z.object({ method: TEXT, name: TEXT }).optional(),
  correlation_id: TEXT,
  provider_error_id: TEXT,
});

const SIDEBAND = z.object({
  ...COMMON,
  status: NUMBER,
  ms: NUMBER,
  payload: z.unknown().optional(),
  answer: z.unknown().optional(),
});

const SHADOW = z.object({
  ...COMMON,
  result: z.enum(SHADOW_RESULTS),
  method: TEXT,
  path: TEXT,
  live: TEXT,
  shadow: TEXT,
  differences: NAMES,
  code: TEXT,
  detail: TEXT,
  provider_ms: NUMBER,
});

const SCHEMAS = { decision: DECISION, sideband: SIDEBAND, shadow: SHADOW, shadow_call: SIDEBAND } as const;

/** Members of a log line as they stand there (docs/logs.md); `time` in milliseconds since 1970. */
export type DecisionLine = z.output<typeof DECISION> & { readonly kind: 'decision'; readonly time?: number };
/** One sideband call with both messages: only with `enable_debug_logging`. Their shape is not checked yet: see recording.ts. */
export type SidebandLine = z.output<typeof SIDEBAND> & { readonly kind: 'sideband'; readonly time?: number };

/** How a decision of a shadow policy compares with the live one. */
export type ShadowLine = z.output<typeof SHADOW> & { readonly kind: 'shadow'; readonly time?: number };
/** An answer of a shadow policy; what it was asked is in the live call's line. */
export type ShadowCallLine = z.output<typeof SIDEBAND> & {
  readonly kind: 'shadow_call';
  readonly time?: number;
};

export type LogRecord =
  | DecisionLine
  | SidebandLine
  | ShadowLine
  | ShadowCallLine
  /** A line that is about no request: a notice, another program's, an empty one. `isOurs`: in the form of the plugin server. */
  | { readonly kind: 'other'; readonly isOurs?: true }
  /** A line of ping-auth that cannot be read; `problem` says what was expected. */
  | { readonly kind: 'broken'; readonly problem: string };

const OTHER: LogRecord = { kind: 'other' };
const OURS: LogRecord = { kind: 'other', isOurs: true };

/**
 * What Kong writes in front of a line of a plugin server in its error log: `2026/11/23 10:00:00 [info] 1#0: *7 [ping-auth:9] `.
 * Whatever else nginx logs has text of its own there before it quotes a client.
 */
const KONG_PREFIX =
  /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[[a-z]{1,10}\] \d{1,10}#\d{1,10}: (?:\*\d{1,20} )?\[[\w.-]{1,100}:\d{1,10}\] (?=\{)/;

/**
 * One line of a log: of the plugin server's own file, or of Kong's error log, which has a prefix and a context behind it. A
 * client can bring text that looks like a record into Kong's log (nginx quotes the request line), but not to either place.
 * @param text undefined: the line was longer than allowed (see log-lines.ts)
 */
export function readLogRecord(text: string | undefined): LogRecord {
  if (text === undefined) return { kind: 'broken', problem: 'the line is too long for a line of ping-auth' };
  const start = text.startsWith('{') ? 0 : (KONG_PREFIX.exec(text)?.[0].length ?? -1);
  if (start === -1 || !(start === 0 || text.includes('"event":"'))) return OTHER;
  // Kong's context stands behind, with no brace in it.
  const node = parseJson(start === 0 ? text : text.slice(start, text.lastIndexOf('}') + 1));
  if (!isJsonObject(node)) {
    return {
      kind: 'broken',
      problem: 'expected a JSON object in one line; cut off, or written by two at once',
    };
  }
  if (isKnownEvent(node.event)) return checked(node.event, node);
  return typeof node.level === 'string' && typeof node.msg === 'string' ? OURS : OTHER;
}

/** Whether the catalogue has this code; a log of another version may have others. */
export function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(ERRORS, code);
}

function isKnownEvent(event: unknown): event is keyof typeof SCHEMAS {
  return typeof event === 'string' && Object.hasOwn(SCHEMAS, event);
}

function checked(kind: keyof typeof SCHEMAS, node: JsonObject): LogRecord {
  const result = SCHEMAS[kind].safeParse(node);
  if (!result.success) {
    const [issue] = result.error.issues;
    const member = issue?.path.join('.') ?? '';
    return {
      kind: 'broken',
      problem: `${kind} line, member ${member}: ${issue?.message ?? 'not understood'}`,
    };
  }
  const time = typeof node.time === 'string' ? Date.parse(node.time) : Number.NaN;
  return { kind, ...result.data, ...(Number.isFinite(time) && { time }) } as LogRecord;
}
