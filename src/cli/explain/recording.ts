import * as z from 'zod';

const HEADERS = z.array(z.union([z.record(z.string(), z.string()), z.tuple([z.string(), z.string()])]));

const REQUEST = z.object({
  source_ip: z.string().default('192.0.2.1'),
  source_port: z.coerce.number().default(0),
  method: z.string(),
  url: z.string(),
  http_version: z.enum(['1.0', '1.1']).default('1.1'),
  headers: HEADERS,
  body: z.string().optional(),
});

const RESPONSE = z.object({
  method: z.string().default('GET'),
  url: z.string().default(''),
  response_code: z.union([z.string(), z.number()]),
  headers: HEADERS,
  body: z.string().optional(),
});

export type RecordedRequest = z.output<typeof REQUEST>;
export type RecordedResponse = z.output<typeof RESPONSE>;

/** One sideband call with its answer: what was shown to the policy, and what it said. */
export type Recording =
  | {
      readonly phase: 'access';
      readonly requestId?: string;
      readonly shown: RecordedRequest;
      readonly answer: unknown;
    }
  | {
      readonly phase: 'response';
      readonly requestId?: string;
      readonly shown: RecordedResponse;
      readonly answer: unknown;
    };

type Node = Readonly<Record<string, unknown>>;

/**
 * Reads `{"request": …, "answer": …}`, `{"response": …, "answer": …}` (both as they go over the wire), or a log with lines
 * that `enable_debug_logging` wrote; other lines are passed over.
 * @throws Error that says what is missing
 */
export function readRecordings(text: string): Recording[] {
  const whole = parseJson(text);
  if (whole !== undefined) {
    if (!isNode(whole))
      throw new Error('expected a JSON object with the members request (or response) and answer');
    return [toRecording(whole)];
  }
  const recordings = text
    .split('\n')
    .map((line) => parseJson(line.slice(Math.max(0, line.indexOf('{')))))
    .filter((value) => isNode(value) && value.event === 'sideband')
    .map((line) => toRecording(line as Node));
  if (recordings.length === 0)
    throw new Error('neither a JSON object nor a log with lines of enable_debug_logging');
  return recordings;
}

function toRecording(node: Node): Recording {
  if (!('answer' in node)) throw new Error('the member "answer" is missing');
  const isLogLine = node.event === 'sideband';
  const isResponse = isLogLine ? node.phase === 'response' : 'response' in node;
  const shown = isLogLine ? node.payload : isResponse ? node.response : node.request;
  const requestId = typeof node.request_id === 'string' ? { requestId: node.request_id } : {};
  const answer = toWire(node.answer);
  return isResponse
    ? { phase: 'response', ...requestId, shown: checked(RESPONSE, shown, 'response'), answer }
    : { phase: 'access', ...requestId, shown: checked(REQUEST, shown, 'request'), answer };
}

function checked<T>(schema: z.ZodType<T>, value: unknown, member: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`${[member, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not understood'}`);
}

/** The plugin logs an answer as it has understood it; here it is needed as it came. */
function toWire(answer: unknown): unknown {
  if (!isNode(answer)) return answer;
  if (answer.kind === 'deny' && isNode(answer.response)) return { response: toWire(answer.response) };
  const { responseCode, kind, ...rest } = answer;
  return responseCode === undefined ? rest : { response_code: responseCode, ...rest };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
