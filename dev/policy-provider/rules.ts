import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

/** Any JSON value, as it stands in a rules file. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

const json: z.ZodType<JsonValue> = z.json();
const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
/** One value or several: a list makes a repeated header. */
const headers = z.record(z.string(), oneOrMore(text));
const headerChanges = z.strictObject({
  set: headers.optional(),
  add: headers.optional(),
  remove: z.array(z.string()).optional(),
});

/** Every condition must hold; `*` in a pattern stands for any text, in a path for any text without a slash, `**` for all. */
const match = z.strictObject({
  phase: z.enum(['request', 'response']).optional(),
  method: oneOrMore(z.string()).optional(),
  path: oneOrMore(z.string()).optional(),
  /** Header of the message in question: the client's in the request phase, the upstream's in the response phase. null: must be absent. */
  header: z.record(z.string(), z.union([text, z.null()])).optional(),
  /** Response phase: status of the upstream. */
  status: oneOrMore(z.number().int()).optional(),
  /** Response phase: what `state` must hold, at least. */
  state: json.optional(),
  /** Response phase without state: the request that came along. */
  request: z
    .strictObject({
      method: oneOrMore(z.string()).optional(),
      header: z.record(z.string(), z.union([text, z.null()])).optional(),
    })
    .optional(),
});

const body = {
  body: z.string().optional(),
  /** A body given as JSON value. */
  json: json.optional(),
  /** Properties to take out of a JSON body; `a.b` goes down, arrays are entered. */
  strip: z.array(z.string()).optional(),
  /** Patterns (JavaScript's) and what stands in place of all that they match in the body's text. */
  replace: z.record(z.string(), z.string()).optional(),
};

const change = z.strictObject({
  method: z.string().optional(),
  url: z.string().optional(),
  path: z.string().optional(),
  query: z
    .strictObject({
      raw: z.string().optional(),
      set: z.record(z.string(), text).optional(),
      remove: z.array(z.string()).optional(),
    })
    .optional(),
  headers: headerChanges.optional(),
  ...body,
});

const rewrite = z.strictObject({
  status: text.optional(),
  reason: z.string().optional(),
  headers: headerChanges.optional(),
  ...body,
});

const deny = z.strictObject({
  status: z.union([z.string(), z.number()]),
  reason: z.string().optional(),
  headers: headers.optional(),
  body: z.string().optional(),
  json: json.optional(),
});

/**
 * A call that a person has to approve on this provider's page: denied with the page's URL until then. For one person and one
 * `mcp-arguments-digest`.
 */
const approve = z.strictObject({
  message: z.string(),
  status: z.number().int().default(403),
  /** Who calls, and so who has to approve. */
  person: z.string().default('{{header.authorization}}'),
  /** How long an approval holds. */
  for_s: z.number().default(300),
  /** Whether the first permit uses it up. */
  once: z.boolean().default(true),
});

/** An answer that is not a decision, with Ping's `{id, code, message}`. */
const error = z.strictObject({
  status: z.number().int(),
  code: z.string().optional(),
  message: z.string().optional(),
  retry_after: text.optional(),
  /** `Retry-After` as an HTTP date, so many seconds from now. */
  retry_after_date_in_s: z.number().optional(),
  headers: headers.optional(),
});

/** Sent as it stands, right or wrong. */
const raw = z.strictObject({
  status: z.number().int().default(200),
  reason: z.string().optional(),
  headers: z.array(z.tuple([z.string(), z.string()])).default([]),
  /** Interim answers (1xx) sent first. */
  interim: z.array(z.number().int()).optional(),
  body: z.string().optional(),
  json: json.optional(),
  base64: z.string().optional(),
  /** So many bytes of `x` as the body. */
  fill_bytes: z.number().int().optional(),
  endless: z.enum(['headers', 'body']).optional(),
});

/** How the answer's bytes travel. */
const deliver = z.strictObject({
  /** At most `bytes` at a time with `every_ms` between; `from: body` sends the head at once. */
  pace: z
    .strictObject({
      bytes: z.number().int().positive(),
      every_ms: z.number(),
      from: z.enum(['start', 'body']).default('start'),
    })
    .optional(),
  /** Ends in the wrong place: before anything, in the middle of the head, in the middle of the body. */
  stop: z
    .strictObject({ at: z.enum(['start', 'head', 'body']), how: z.enum(['reset', 'close', 'hang']) })
    .optional(),
});

const rule = z.strictObject({
  name: z.string(),
  match: match.default({}),
  /** Leaves out the first so many matching calls, then applies to so many. */
  skip: z.number().int().optional(),
  times: z.number().int().optional(),
  delay_ms: z.number().optional(),
  state: json.optional(),
  change: change.optional(),
  rewrite: rewrite.optional(),
  deny: deny.optional(),
  approve: approve.optional(),
  error: error.optional(),
  raw: raw.optional(),
  deliver: deliver.optional(),
  /** Members of the JSON answer that are overwritten or left out: answers that are nearly right. */
  lie: z
    .strictObject({ set: z.record(z.string(), json).optional(), remove: z.array(z.string()).optional() })
    .optional(),
});

const rulesFile = z.strictObject({ rules: z.array(rule) });

export type Rule = z.output<typeof rule>;
export type Match = z.output<typeof match>;
export type HeaderMap = z.output<typeof headers>;
export type HeaderChangeRule = z.output<typeof headerChanges>;
export type ChangeRule = z.output<typeof change>;
export type RewriteRule = z.output<typeof rewrite>;
export type DenyRule = z.output<typeof deny>;
export type ApproveRule = z.output<typeof approve>;
export type ErrorRule = z.output<typeof error>;
export type RawRule = z.output<typeof raw>;
export type Delivery = z.output<typeof deliver>;
/** A rule as one writes it: in a test, or after YAML. */
export type RuleInput = z.input<typeof rule>;

/** @throws Error that names the member and what is wrong with it. */
export function parseRules(value: unknown, source = 'rules'): Rule[] {
  const result = rulesFile.safeParse(value);
  if (!result.success) throw new Error(`${source}: ${z.prettifyError(result.error)}`);
  return result.data.rules;
}

/** @throws Error for a file that cannot be read, is not YAML or is not a list of rules. */
export function loadRules(file: string): Rule[] {
  return parseRules(parse(readFileSync(file, 'utf8')), file);
}
