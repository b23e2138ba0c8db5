import { jsonMember, jsonMembers } from '../http/json-members.js';
import { decodeUtf8, isJsonObject } from '../http/text.js';
import { type McpMessage, readClientMessage } from './message.js';
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

/** The members of an object by name, each verbatim: `"name": value`. */
type Members = Map<string, string>;

/** What a state of ours kept for the MCP server. */
interface Kept {
  readonly requestState: string | undefined;
  readonly answers: Members;
}

/**
 * The state for an `input_required` of ours. It says nothing about the approval and is not protected: whoever makes one up
 * gets what they could have sent without it. It only keeps what the client's retry leaves out, which is what this request had
 * for the MCP server: the server's own state, and answers to the server's own questions.
 *
 * @param text of the message
 */
export function approvalState({ params = {} }: McpMessage, text: string): string {
  const { members } = paramsOf(text);
  if (typeof params.requestState !== 'string') members.delete('requestState');
  if (!isJsonObject(params.inputResponses)) members.delete('inputResponses');
  const kept = ['requestState', 'inputResponses'].flatMap((name) => members.get(name) ?? []);
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

  const { members, start, end } = paramsOf(text);
  const answers = responses === undefined ? new Map() : membersIn(members.get('inputResponses'));
  for (const [name, answer] of kept?.answers ?? []) if (!answers.has(name)) answers.set(name, answer);
  answers.delete(APPROVAL_KEY);
  if (kept !== undefined) members.delete('requestState');
  if (responses !== undefined) members.delete('inputResponses');
  const parts = [...members.values()];
  if (answers.size > 0) parts.push(`"inputResponses":{${[...answers.values()].join()}}`);
  if (kept?.requestState !== undefined) parts.push(kept.requestState);
  const changed = `${text.slice(0, start)}{${parts.join()}}${text.slice(end)}`;
  return {
    message: readClientMessage(changed),
    text: changed,
    response: responseIn(responses?.[APPROVAL_KEY]),
  };
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
    requestState: decode(requestState) ? undefined : members.get('requestState'),
    answers: membersIn(members.get('inputResponses')),
  };
}

/** `params` of a message: its members, and the offsets of its braces. */
function paramsOf(text: string): { readonly members: Members; readonly start: number; readonly end: number } {
  const params = jsonMember(text, 'params');
  if (params === undefined) return { members: new Map(), start: 0, end: 0 };
  const { valueStart: start, end } = params;
  return { members: membersOf(text, start), start, end };
}

function membersOf(json: string, at: number): Members {
  const members: Members = new Map();
  for (const { name, start, end } of jsonMembers(json, at)) members.set(name, json.slice(start, end));
  return members;
}

/** The members of the object that is a member's value. */
function membersIn(member = '{}'): Members {
  return membersOf(member, member.indexOf('{'));
}
