import * as z from 'zod';
import type { HeaderField } from '../http/headers.js';
import { isJsonObject, type JsonObject, parseJson } from '../http/text.js';
import { textOf } from '../telemetry/gap-marks.js';
import { type Gaps, gapsOf } from './gaps.js';
import type { SidebandLine } from './log-record.js';
import { readLog } from './read-log.js';

/** Of a shortened line the last item can be a text, `… 12 more`; gaps.ts has noted that. */
const HEADERS = z
  .array(z.unknown())
  .transform((items) => items.filter((item) => typeof item !== 'string'))
  .pipe(z.array(z.union([z.record(z.string(), z.string()), z.tuple([z.string(), z.string()])])));

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

/** Headers as they stand in either kind of recording, marks included. */
export function recordedFieldsOf(headers: RecordedRequest['headers']): HeaderField[] {
  return headers.flatMap((pair) => (Array.isArray(pair) ? [pair] : Object.entries(pair)));
}

/** The same as what they say (telemetry/gap-marks.ts). */
export function fieldsOf(headers: RecordedRequest['headers']): HeaderField[] {
  return recordedFieldsOf(headers).map(([name, value]) => [textOf(name), textOf(value)]);
}

/** One sideband call with its answer: what was shown to the policy, and what it said. */
export type Recording = (
  | { readonly phase: 'access'; readonly shown: RecordedRequest }
  | { readonly phase: 'response'; readonly shown: RecordedResponse }
) & {
  readonly requestId?: string;
  /** As it came over the wire. */
  readonly answer: unknown;
  /** What of the shown message and of the answer is not in the recording. */
  readonly gaps: { readonly shown: Gaps; readonly answer: Gaps };
};

export interface Recordings {
  readonly recordings: readonly Recording[];
  /** `12: expected …`: line number and what was expected there. */
  readonly problems: readonly string[];
}

/** A whole document is kept up to here, a log is not: it is read line by line. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;

/**
 * Reads `{"request": …, "answer": …}`, `{"response": …, "answer": …}` (both as they go over the wire), or a log with lines
 * that `enable_debug_logging` wrote; other lines are passed over.
 * @throws Error that says what is missing
 */
export async function readRecordings(source: AsyncIterable<Uint8Array>): Promise<Recordings> {
  const recordings: Recording[] = [];
  const problems: string[] = [];
  const document = new Kept();
  for await (const { line, record } of readLog(document.of(source))) {
    if (record.kind === 'broken') problems.push(`${line}: ${record.problem}`);
    if (record.kind !== 'sideband') continue;
    document.giveUp();
    try {
      recordings.push(toRecording(record));
    } catch (thrown) {
      problems.push(`${line}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }
  const text = document.text();
  const whole = text === undefined ? undefined : parseJson(text);
  if (isJsonObject(whole) && whole.event === undefined)
    return { recordings: [ofDocument(whole)], problems: [] };
  if (whole !== undefined && !isJsonObject(whole))
    throw new Error('expected a JSON object with the members request (or response) and answer');
  if (recordings.length === 0) {
    const [first] = problems;
    const why = first === undefined ? '' : `; line ${first}`;
    throw new Error(`neither a JSON object nor a log with lines of enable_debug_logging${why}`);
  }
  return { recordings, problems };
}

/** @throws Error that names the member which is missing or not understood */
export function toRecording(line: SidebandLine): Recording {
  if (line.payload === undefined) throw new Error('the member "payload" is missing: the line was shortened');
  return recording(line.phase, line.payload, line.answer, line.request_id);
}

/** @throws Error that names the member */
function ofDocument(node: JsonObject): Recording {
  if (!('answer' in node)) throw new Error('the member "answer" is missing');
  return 'response' in node
    ? recording('response', node.response, node.answer, undefined)
    : recording('access', node.request, node.answer, undefined);
}

function recording(
  phase: SidebandLine['phase'],
  shown: unknown,
  answer: unknown,
  requestId: string | undefined,
): Recording {
  const rest = {
    ...(requestId !== undefined && { requestId }),
    answer: toWire(answer),
    gaps: { shown: gapsOf(shown), answer: gapsOf(answer) },
  };
  return phase === 'response'
    ? { phase, shown: checked(RESPONSE, shown, 'response'), ...rest }
    : { phase, shown: checked(REQUEST, shown, 'request'), ...rest };
}

function checked<T>(schema: z.ZodType<T>, value: unknown, member: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`${[member, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not understood'}`);
}

/** 2.0.0 logged an answer as it had understood it; here it is needed as it came. */
function toWire(answer: unknown): unknown {
  if (!isJsonObject(answer)) return answer;
  if (answer.kind === 'deny' && isJsonObject(answer.response)) return { response: toWire(answer.response) };
  const { responseCode, kind, ...rest } = answer;
  return withoutNotes(responseCode === undefined ? rest : { response_code: responseCode, ...rest });
}

/** `… 12 more` in a list of headers is a note of who shortened the line. */
function withoutNotes(answer: JsonObject): JsonObject {
  if (!Array.isArray(answer.headers)) return answer;
  return { ...answer, headers: answer.headers.filter((item) => typeof item !== 'string') };
}

/** Keeps what runs through, until it is too much or nobody needs it. */
class Kept {
  #chunks: Uint8Array[] | undefined = [];
  #bytes = 0;

  async *of(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#bytes += chunk.length;
      if (this.#bytes > MAX_DOCUMENT_BYTES) this.giveUp();
      this.#chunks?.push(Uint8Array.from(chunk));
      yield chunk;
    }
  }

  giveUp(): void {
    this.#chunks = undefined;
  }

  text(): string | undefined {
    return this.#chunks === undefined ? undefined : Buffer.concat(this.#chunks).toString('utf8');
  }
}
