import { isUtf8 } from 'node:buffer';
import { JsonScanner, type Span } from '../http/json-scanner.js';
import { nextTurn, STEP_BYTES } from '../http/text.js';
import { invalid, type LargeAnswer, MAX_DEPTH, notJson, notUtf8 } from './wire-answers.js';

/** Of a member that is parsed in one step: headers and the like. `body` and `state` may be as large as the whole answer. */
const MAX_PARSED_BYTES = 1_048_576;
const RESPONSE_MEMBERS = ['response_code', 'response_status', 'http_version', 'headers', 'body'];
const IN_RESPONSE: ReadonlySet<string> = new Set(RESPONSE_MEMBERS);
const IN_ANSWER: ReadonlySet<string> = new Set([
  ...RESPONSE_MEMBERS,
  ...['response', 'method', 'url', 'source_ip', 'source_port', 'client_certificate', 'state'],
]);

/**
 * Parses an answer in steps, between which others are served. A client can cause large ones: its body comes back in them.
 * @throws PingAuthError `provider_not_json`; `provider_answer_invalid` for a text that is no object or nested too deep, or a
 *   member that is too large
 */
export async function parseLargeAnswer(body: Buffer): Promise<LargeAnswer> {
  await nextTurn();
  if (!isUtf8(body)) throw notUtf8();
  return parseObject(body, IN_ANSWER, '');
}

async function parseObject(json: Buffer, wanted: ReadonlySet<string>, prefix: string): Promise<LargeAnswer> {
  const scanner = new JsonScanner(json, MAX_DEPTH + 1, wanted);
  /** Where a string may be cut. */
  const cuts: number[] = [];
  for (await nextTurn(); scanner.read(STEP_BYTES); await nextTurn()) cuts.push(scanner.at);
  const { fault } = scanner;
  if (fault === 'too deep') throw invalid(`nested deeper than ${MAX_DEPTH}`);
  if (fault !== undefined) throw notJson(json.toString('latin1', 0, 200), `${json.length} bytes`);
  if (!scanner.isObject) throw invalid('expected an object, got another value');

  const members: Record<string, unknown> = {};
  let state: string | undefined;
  for (const [name, span] of scanner.members) {
    const first = json[span.start];
    if (name === 'state') state = await textIn(json, span, cuts);
    else if (name === 'body' && first === QUOTE) {
      members.body = await textIn(json, { start: span.start + 1, end: span.end - 1 }, cuts, decodeEscapes);
    } else if (name === 'response' && first === BRACE) {
      const response = json.subarray(span.start, span.end);
      members.response = (await parseObject(response, IN_RESPONSE, 'response.')).members;
    } else members[name] = parseMember(json, span, prefix + name);
  }
  return { members, state };
}

const QUOTE = 0x22;
const BRACE = 0x7b;

function parseMember(json: Buffer, { start, end }: Span, name: string): unknown {
  const bytes = end - start;
  if (bytes > MAX_PARSED_BYTES) throw invalid(`${name}: ${bytes} bytes, ${MAX_PARSED_BYTES} are allowed`);
  return JSON.parse(json.toString('utf8', start, end));
}

async function textIn(
  json: Buffer,
  { start, end }: Span,
  cuts: readonly number[],
  decode = (text: string) => text,
): Promise<string> {
  const parts: string[] = [];
  let from = start;
  for (const cut of [...cuts.filter((at) => at > start && at < end), end]) {
    await nextTurn();
    parts.push(decode(json.toString('utf8', from, cut)));
    from = cut;
  }
  return parts.join('');
}

function decodeEscapes(text: string): string {
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}
