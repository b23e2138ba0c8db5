import { randomUUID } from 'node:crypto';
import type { ResponseToSend } from '../http/message.js';
import { decodeUtf8, isJsonObject } from '../http/text.js';
import { APPROVAL_KEY, APPROVED_METHODS, approvalState } from './approval-state.js';
import { answerForAgent, denialForAgent, reasonIn } from './denial.js';
import { requiresHeaders, VERSION_HEADER } from './headers.js';
import type { McpRequest } from './request.js';
import { readStrictJson } from './strict-json.js';

/** The revision with the error that asks for an elicitation; until then a model can only be told. */
const ELICITATION_ERROR_SINCE = '2025-11-25';
/** URLElicitationRequiredError of that revision. */
const ELICITATION_REQUIRED = -32042;
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const PAGE_HEADER = 'approval-url';
const PAGE_MEMBER = 'approval_url';
const MAX_URL = 2000;

/**
 * How an agent learns that a person can approve its call: its client asks the person (as a result since 2026-07-28, as an error
 * in 2025-11-25), or the model is told.
 */
export type ApprovalOffer = 'input_required' | 'elicitation_required' | 'told';

export interface AgentDenial {
  readonly response: ResponseToSend;
  readonly offer?: ApprovalOffer | undefined;
  /** Why a page that the policy named is not offered. */
  readonly ignored?: string | undefined;
}

/**
 * The policy's denial of a request as an agent gets it: `denialForAgent`, with the page on which a person can approve the call,
 * if the policy names one.
 */
export function requestDenialForAgent(denial: ResponseToSend, request: McpRequest): AgentDenial {
  const { message } = request;
  const plain = denialForAgent(denial, message.id);
  const page = denial.status >= 400 ? approvalPage(denial) : undefined;
  if (page === undefined) return { response: plain };
  if (plain === denial || message.kind !== 'request')
    return { response: plain, ignored: 'a denial over HTTP' };
  if (page.url === undefined) return { response: plain, ignored: page.ignored };

  const { url } = page;
  const { status, headers } = denial;
  const reason = reasonIn(denial) ?? 'This call needs the approval of a person.';
  const offer = offerFor(request);
  if (offer === 'input_required') {
    const elicitation = { method: 'elicitation/create', params: { mode: 'url', url, message: reason } };
    const result = {
      resultType: 'input_required',
      inputRequests: { [APPROVAL_KEY]: elicitation },
      requestState: approvalState(message, request.text),
    };
    return { response: answerForAgent(headers, message.id, { result }), offer };
  }
  const words = `${reason} A person can approve it, and then the same call can be made again: ${url}`;
  const elicitations = [{ mode: 'url', elicitationId: randomUUID(), url, message: reason }];
  const error =
    offer === 'elicitation_required'
      ? { code: ELICITATION_REQUIRED, message: words, data: { elicitations, status } }
      : { code: status, message: words, data: { status, approval_url: url } };
  return { response: answerForAgent(headers, message.id, { error }), offer };
}

function offerFor({ message, headers, approvalResponse }: McpRequest): ApprovalOffer {
  const version = message.protocolVersion ?? headers.get(VERSION_HEADER) ?? '';
  if (!APPROVED_METHODS.has(message.method)) return 'told';
  if (!requiresHeaders(version)) return version >= ELICITATION_ERROR_SINCE ? 'elicitation_required' : 'told';
  // Who has just refused is not asked the same again.
  return opensPages(message.params?._meta) && approvalResponse === undefined ? 'input_required' : 'told';
}

/** Whether the client has said, in this very request, that it can ask its user to open a page. */
function opensPages(meta: unknown): boolean {
  const capabilities = isJsonObject(meta) ? meta[CAPABILITIES] : undefined;
  const elicitation = isJsonObject(capabilities) ? capabilities.elicitation : undefined;
  return isJsonObject(elicitation) && isJsonObject(elicitation.url);
}

/** The page that a denial names, or why what it names is ignored, without a word of the policy's. */
type ApprovalPage =
  | { readonly url: string; readonly ignored?: undefined }
  | { readonly ignored: string; readonly url?: undefined };

/**
 * The page on which a person can approve what the policy has just denied: member `approval_url` of a JSON body, or the header
 * `Approval-URL`. A client will open it in somebody's browser, so it is strict: one URL that all parsers take for the same.
 *
 * @returns undefined when the denial names none
 */
export function approvalPage({ headers, body }: ResponseToSend): ApprovalPage | undefined {
  const named: unknown[] = [...headers.getAll(PAGE_HEADER)];
  const text = decodeUtf8(body) ?? '';
  if (text.includes(PAGE_MEMBER)) {
    const { value, fault } = readStrictJson(text);
    if (fault === 'a member twice') return { ignored: fault };
    if (isJsonObject(value) && Object.hasOwn(value, PAGE_MEMBER)) named.push(value[PAGE_MEMBER]);
  }
  const [first, ...others] = named;
  if (named.length === 0) return undefined;
  if (others.some((other) => other !== first)) return { ignored: 'two different URLs' };
  if (typeof first !== 'string') return { ignored: 'not a string' };
  const ignored = faultOf(first);
  return ignored === undefined ? { url: first } : { ignored };
}

function faultOf(url: string): string | undefined {
  if (url.length > MAX_URL) return `longer than ${MAX_URL} characters`;
  // Parsers drop tabs and line breaks, read a backslash as a slash, and encode everything else in ways of their own.
  if (!/^[\x21-\x7e]*$/.test(url) || url.includes('\\')) return 'not plain printable ASCII';
  const [, authority] = /^https:\/\/([^/?#]+)/i.exec(url) ?? [];
  if (authority === undefined) return 'not https';
  if (authority.includes('@')) return 'with user info';
  return URL.canParse(url) ? undefined : 'not a URL';
}
