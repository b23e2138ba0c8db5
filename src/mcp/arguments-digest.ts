import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { afterString, jsonMember } from '../http/json-members.js';
import type { McpMessage } from './message.js';

const TOKEN = /[-+.\deE]+/y;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Without it, a text has no number but integers of up to ten digits. */
const MAY_BE_ODD = /\d(?:\d{10}|[.eE])/;
/** Every integer and decimal fraction of so few digits is its own double. */
const SURELY_EXACT = /^-?\d{1,10}(?:\.\d{1,5})?$/;

/**
 * What a call is, in one line: `sha-256=:…:` (RFC 9530 syntax) over the canonical JSON (RFC 8785) of its method, its name
 * and its arguments. A policy can bind an approval to it: another tool or another argument makes another digest.
 *
 * undefined where one digest would stand for several calls: RFC 8785 knows only doubles, so that 9007199254740992 and …993
 * are one number to it, while an MCP server in Python reads two.
 *
 * @param text of the message
 */
export function argumentsDigest({ method, name, params }: McpMessage, text: string): string | undefined {
  const { arguments: args } = params ?? {};
  const mayBeOdd = args !== undefined && MAY_BE_ODD.test(text);
  if (mayBeOdd && !hasExactNumbers(argumentsText(text))) return undefined;
  const call = args === undefined ? { method, name } : { method, name, arguments: args };
  const json = canonicalize(call) ?? '';
  return `sha-256=:${hash('sha256', json, 'base64')}:`;
}

function argumentsText(text: string): string {
  const params = jsonMember(text, 'params');
  const found = params && jsonMember(text, 'arguments', params.valueStart);
  return found === undefined ? '' : text.slice(found.valueStart, found.end);
}

/** Whether each number means the same to a reader of doubles and to one of arbitrary precision. */
function hasExactNumbers(json: string): boolean {
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = afterString(json, at) - 1;
    if (code !== MINUS && (code < ZERO || code > NINE)) continue;
    TOKEN.lastIndex = at;
    const [token = ''] = TOKEN.exec(json) ?? [];
    if (!isExact(token)) return false;
    at += token.length - 1;
  }
  return true;
}

function isExact(token: string): boolean {
  if (SURELY_EXACT.test(token)) return true;
  const value = Number(token);
  return Number.isFinite(value) && decimal(token) === decimal(String(value));
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** A number's decimal value in one spelling: sign, digits without zeros around them, power of ten. */
function decimal(token: string): string | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(token) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
