// The form of a file with tests for a policy. From this one schema come the checks of the file, the types and the JSON Schema for
// editors (docs/policy-tests.schema.json, `npm run generate`).
import { compile } from 'json-p3';
import * as z from 'zod';

/** `${NAME}` or `${NAME:-instead}`; `$${` is a plain `${`. */
export const VARIABLE = /\$\$\{|\$\{([^}]*)\}?/g;

const hasVariable = (text: string) => text.includes('${');

/** A number, or text that becomes one: a variable, or what stood in it. */
const integer = (least: number, most: number) =>
  z.union([
    z.int().min(least).max(most),
    z.string().refine((text) => {
      if (hasVariable(text)) return true;
      return /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most;
    }, `expected an integer from ${least} to ${most}`),
  ]);

/** One of some words, or a variable that becomes one. */
const choice = <const W extends readonly string[]>(words: W) =>
  z.union([z.enum(words), z.templateLiteral(['${', z.string(), '}'])]);

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const oneOrMore = z.union([scalar, z.array(scalar).min(1)]);

const regularExpression = z.string().refine((text) => hasVariable(text) || isRegExp(text), {
  error: ({ input }) => `not a regular expression: ${input}`,
});

const jsonPath = z.string().refine((text) => hasVariable(text) || isJsonPath(text), {
  error: ({ input }) => `not a JSONPath (RFC 9535): ${input}`,
});

const paths = z
  .record(jsonPath, z.unknown())
  .describe(
    'JSONPath (RFC 9535) and the value there; a path that can find several values is compared with their list',
  );
const absentPaths = z.array(jsonPath).describe('JSONPaths that must find nothing');

const headersToSend = z
  .record(z.string(), z.union([oneOrMore, z.null()]))
  .describe('Name and value; a list for a repeated header; null takes a default away');
const headersExpected = z.record(
  z.string(),
  z.union([oneOrMore, z.strictObject({ matches: regularExpression })]),
);

const bodyToSend = {
  body: z.string().optional().describe('The body as text'),
  json: z
    .unknown()
    .optional()
    .describe('The body as JSON; Content-Type is application/json unless it is given'),
};

const REQUEST = z.strictObject({
  method: z.string().min(1).optional().describe('Default: GET'),
  url: z.string().min(1).optional().describe('Absolute, or a path when base_url is set'),
  headers: headersToSend.optional(),
  ...bodyToSend,
  http_version: z.enum(['1.0', '1.1', '2']).optional().describe('Default: 1.1'),
  source_ip: z.string().min(1).optional().describe("The client's address; default: 192.0.2.1"),
  source_port: integer(1, 65_535).optional().describe('Default: 50000'),
  client_certificate: z
    .string()
    .min(1)
    .optional()
    .describe("The client's TLS certificate: PEM, or a file with it beside this one"),
});

const RESPONSE = z.strictObject({
  status: integer(100, 599).optional().describe('Default: 200'),
  headers: headersToSend.optional(),
  ...bodyToSend,
});

const HEADER_EXPECTATION = z.strictObject({
  has: headersExpected.optional().describe('Headers of the forwarded message, with these values'),
  lacks: z.array(z.string()).optional().describe('Headers that the forwarded message does not have'),
  added: headersExpected.optional().describe('Headers that were not there before the policy'),
  changed: headersExpected.optional().describe('Headers that had another value before the policy'),
  removed: z.array(z.string()).optional().describe('Headers that were there before the policy and are gone'),
});

const BODY_EXPECTATION = z.union([
  z.string().describe('Exactly this text'),
  z.strictObject({
    text: z.string().optional().describe('Exactly this text'),
    contains: oneOrMore.optional().describe('A part, or several'),
    matches: regularExpression.optional().describe('A regular expression of JavaScript'),
    json: z.unknown().optional().describe('Exactly this JSON, whatever the order of members'),
    paths: paths.optional(),
    absent: absentPaths.optional(),
    unchanged: z.literal(true).optional().describe('The very bytes that came in'),
  }),
]);

const STATE_EXPECTATION = z.union([
  z.enum(['present', 'absent']),
  z.strictObject({
    json: z.unknown().optional().describe('Exactly this state'),
    paths: paths.optional(),
    absent: absentPaths.optional(),
  }),
]);

const common = {
  status: integer(100, 599).optional(),
  code: z.string().optional().describe('Error code, if ping-auth refuses; see errors.md'),
  changes: z
    .array(z.string())
    .optional()
    .describe(
      'All that the policy changes, in the words of a decision line: query, header:x-a, -header:x-b, body',
    ),
  headers: HEADER_EXPECTATION.optional(),
  body: BODY_EXPECTATION.optional(),
};

const requestDecisions = ['permit', 'deny', 'refuse'] as const;
const responseDecisions = ['pass', 'refuse'] as const;

const REQUEST_EXPECTATION = z.union([
  choice(requestDecisions),
  z.strictObject({
    decision: choice(requestDecisions).describe(
      'deny: denied by the policy; refuse: refused by ping-auth, with a code',
    ),
    method: z.string().optional().describe('Method of the forwarded request'),
    url: z.string().optional().describe('URL of the forwarded request'),
    state: STATE_EXPECTATION.optional().describe('What the policy keeps for the response'),
    ...common,
  }),
]);

const RESPONSE_EXPECTATION = z.union([
  choice(responseDecisions),
  z.strictObject({ decision: choice(responseDecisions).optional().describe('Default: pass'), ...common }),
]);

const TAGS = z.array(z.string().regex(/^[\w.:-]+$/, 'expected letters, digits and _ . : -'));

export const CASE = z.strictObject({
  name: z.string().min(1),
  tags: TAGS.optional(),
  skip: z.boolean().optional().describe('Not asked about, and counted as skipped'),
  rows: z
    .array(z.record(z.string(), z.unknown()))
    .min(1)
    .optional()
    .describe('The case is tried with each row; its members are variables'),
  request: REQUEST.optional(),
  expect: REQUEST_EXPECTATION.describe('What the policy says about the request'),
  response: RESPONSE.optional().describe("The upstream's response, about which the policy is asked, too"),
  expect_response: RESPONSE_EXPECTATION.optional().describe('What the policy makes of it'),
});

export const CASE_FILE = z
  .strictObject({
    $schema: z.string().optional(),
    base_url: z.string().optional().describe('Stands before URLs that are a path'),
    variables: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Values of variables; others come from the environment'),
    defaults: z
      .strictObject({
        tags: TAGS.optional(),
        request: REQUEST.optional(),
        response: RESPONSE.optional(),
      })
      .optional()
      .describe('For each case; headers are put together by name'),
    cases: z.array(CASE).min(1),
  })
  .describe('Tests of a policy for `ping-auth test`');

export type CaseFile = z.output<typeof CASE_FILE>;
export type CaseInFile = z.output<typeof CASE>;
export type RequestInFile = z.output<typeof REQUEST>;
export type ResponseInFile = z.output<typeof RESPONSE>;
export type HeaderExpectation = z.output<typeof HEADER_EXPECTATION>;
export type BodyExpectation = Exclude<z.output<typeof BODY_EXPECTATION>, string>;
export type StateExpectation = z.output<typeof STATE_EXPECTATION>;
export type RequestExpectation = Exclude<z.output<typeof REQUEST_EXPECTATION>, string>;
export type ResponseExpectation = Exclude<z.output<typeof RESPONSE_EXPECTATION>, string>;

/** For editors. */
export function caseFileJsonSchema(): object {
  return { title: 'ping-auth test', ...z.toJSONSchema(CASE_FILE, { target: 'draft-7', io: 'input' }) };
}

function isRegExp(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

function isJsonPath(text: string): boolean {
  try {
    compile(text);
    return true;
  } catch {
    return false;
  }
}
