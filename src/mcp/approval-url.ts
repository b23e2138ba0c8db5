import type { ResponseToSend } from '../http/message.js';
import { decodeUtf8, isJsonObject } from '../http/text.js';
import { readStrictJson } from './strict-json.js';

const HEADER = 'approval-url';
const MEMBER = 'approval_url';
const MAX_LENGTH = 2000;

/** The page that a denial names, or why what it names is ignored: words of ours, nothing of the policy's. */
export type ApprovalPage =
  | { readonly url: string; readonly ignored?: undefined }
  | { readonly ignored: string; readonly url?: undefined };

/**
 * The page on which a person can approve what the policy has just denied: member `approval_url` of a JSON body, or the header
 * `Approval-URL`. A client will open it in somebody's browser, so it is strict: one URL that all parsers take for the same.
 *
 * @returns undefined when the denial names none
 */
export function approvalPage({ headers, body }: ResponseToSend): ApprovalPage | undefined {
  const named: unknown[] = [...headers.getAll(HEADER)];
  const text = decodeUtf8(body) ?? '';
  if (text.includes(MEMBER)) {
    const { value, fault } = readStrictJson(text);
    if (fault === 'a member twice') return { ignored: fault };
    if (isJsonObject(value) && Object.hasOwn(value, MEMBER)) named.push(value[MEMBER]);
  }
  const [first, ...others] = named;
  if (named.length === 0) return undefined;
  if (others.some((other) => other !== first)) return { ignored: 'two different URLs' };
  if (typeof first !== 'string') return { ignored: 'not a string' };
  const ignored = fault(first);
  return ignored === undefined ? { url: first } : { ignored };
}

function fault(url: string): string | undefined {
  if (url.length > MAX_LENGTH) return `longer than ${MAX_LENGTH} characters`;
  // Parsers drop tabs and line breaks, read a backslash as a slash, and encode everything else in ways of their own.
  if (!/^[\x21-\x7e]*$/.test(url) || url.includes('\\')) return 'not plain printable ASCII';
  const [, authority] = /^https:\/\/([^/?#]+)/i.exec(url) ?? [];
  if (authority === undefined) return 'not https';
  if (authority.includes('@')) return 'with user info';
  return URL.canParse(url) ? undefined : 'not a URL';
}
