import { jsonMembers } from '../http/json-members.js';
import { decodeUtf8, isJsonObject } from '../http/text.js';
import { McpError } from './error.js';
import { type McpMessage, readMessage } from './message.js';
import { readStrictJson } from './strict-json.js';

/** Names our one input request; a client answers it under the same name. */
export const APPROVAL_KEY = 'ping-auth-approval';
/** What a `requestState` of ours starts with; behind it comes JSON in base64url. */
const PREFIX = 'ping-auth-approval.1.';
/** Ours is never longer. What an MCP server's own state has beyond that is not kept, and the server asks again. */
const MAX_STATE = 65_536;
/** The requests that may be answered with `input_required`. */
export const APPROVED_METHODS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** How a person answered when their client asked them to open the page. */
export type ApprovalResponse = 'decline' | 'cancel';

/** A message without what was meant for ping-auth. */
export interface WithoutApproval {
  readonly message: McpMessage;
  /** JSON of the message, as the policy is shown it and the server gets it. */
  readonly text: string;
  /** undefined: accepted (which says that the page was opened, and nothing else), or never asked. */
  readonly response: ApprovalResponse | undefined;
}

/** A member of an object, verbatim: `"name": value`. */
interface Member {
  readonly name: string;
  readonly text: string;
}

/** What a state of ours kept for the MCP server. */
interface Kept {
  readonly requestState: Member | undefined;
  readonly answers: readonly Member[];
}

/**
 * The state for an `input_required` of ours. It says nothing about the approval and is not protected: whoever makes one up
 * gets what they could have sent without it. It only keeps what the client's retry leaves out, which is what this request had
 * for the MCP server: the server's own state, and answers to the server's own questions.
 *
 * @param text of the message
 */
export function approvalState({ params = {} }: McpMessage, text: string): string {
  const kept: string[] = [];
  for (const { name, text: member } of paramsOf(text).members) {
    if (name === 'requestState' && typeof params.requestState === 'string') kept.push(member);
    if (name === 'inputResponses' && isJsonObject(params.inputResponses)) kept.push(member);
  }
  const state = encode(`{${kept.join()}}`);
  return state.length <= MAX_STATE ? state : encode('{}');
}

/**
 * Takes out of a retry what is ping-auth's own and puts back what `approvalState` kept; all other text stays verbatim. Nothing
 * in it is trusted: the policy is asked about what comes out, as about any other call.
 *
 * @param text of the message
 * @returns undefined for a message with nothing of ours in it
 * @throws McpError when a made-up state makes no message
 */
export function withoutApproval(message: McpMessage, text: string): WithoutApproval | undefined {
  const { requestState, inputResponses } = message.params ?? {};
  if (!APPROVED_METHODS.has(message.method)) return undefined;
  if (requestState === undefined && inputResponses === undefined) return undefined;
  const kept = decode(requestState);
  const responses = isJsonObject(inputResponses) ? inputResponses : undefined;
  const isAnswered = responses !== undefined && Object.hasOwn(responses, APPROVAL_KEY);
  if (kept === undefined && !isAnswered) return undefined;

  const params = paramsOf(text);
  const members = params.members
    .filter(({ name }) => !(name === 'requestState' && kept) && !(name === 'inputResponses' && responses))
    .map((member) => member.text);
  const answers = params.members
    .filter(({ name }) => name === 'inputResponses' && responses)
    .flatMap(membersIn);
  for (const answer of kept?.answers ?? []) {
    if (!answers.some(({ name }) => name === answer.name)) answers.push(answer);
  }
  const others = answers.filter(({ name }) => name !== APPROVAL_KEY).map((answer) => answer.text);
  if (others.length > 0) members.push(`"inputResponses":{${others.join()}}`);
  if (kept?.requestState !== undefined) members.push(kept.requestState.text);
  const changed = `${text.slice(0, params.start)}{${members.join()}}${text.slice(params.end)}`;
  return { message: readAgain(changed), text: changed, response: responseIn(responses?.[APPROVAL_KEY]) };
}

function responseIn(answer: unknown): ApprovalResponse | undefined {
  const action = isJsonObject(answer) ? answer.action : undefined;
  return action === 'decline' || action === 'cancel' ? action : undefined;
}

function encode(json: string): string {
  return PREFIX + Buffer.from(json, 'utf8').toString('base64url');
}

/** undefined for whatever is not a state of ours to the last character: it is the server's then. */
function decode(state: unknown): Kept | undefined {
  if (typeof state !== 'string' || !state.startsWith(PREFIX) || state.length > MAX_STATE) return undefined;
  const bytes = Buffer.from(state.slice(PREFIX.length), 'base64url');
  const json = decodeUtf8(bytes);
  if (json === undefined || encode(json) !== state) return undefined;
  const { value } = readStrictJson(json);
  if (!isJsonObject(value)) return undefined;
  const { requestState, inputResponses = {}, ...others } = value;
  if (requestState !== undefined && typeof requestState !== 'string') return undefined;
  if (!isJsonObject(inputResponses) || Object.keys(others).length > 0) return undefined;
  const members = membersOf(json, json.indexOf('{'));
  return {
    // We never keep a state of ours; a client that wraps one gets rid of it.
    requestState: decode(requestState) ? undefined : members.find(({ name }) => name === 'requestState'),
    answers: members.filter(({ name }) => name === 'inputResponses').flatMap(membersIn),
  };
}

function readAgain(text: string): McpMessage {
  const message = readMessage(text);
  if (message.kind === 'request' || message.kind === 'notification') return message;
  const { code, words, id } =
    message.kind === 'fault' ? message : { code: -32600 as const, words: 'no request', id: undefined };
  throw new McpError('mcp_message_invalid', code, words, id);
}

/** `params` of a message: its members, and the offsets of its braces. */
function paramsOf(text: string): {
  readonly members: Member[];
  readonly start: number;
  readonly end: number;
} {
  for (const { name, valueStart, end } of jsonMembers(text)) {
    if (name === 'params') return { members: membersOf(text, valueStart), start: valueStart, end };
  }
  return { members: [], start: 0, end: 0 };
}

function membersOf(json: string, at: number): Member[] {
  return [...jsonMembers(json, at)].map(({ name, start, end }) => ({ name, text: json.slice(start, end) }));
}

/** The members of the object that is a member's value. */
function membersIn({ text }: Member): Member[] {
  return membersOf(text, text.indexOf('{'));
}
