// Secrets in XML and HTML, and in the parts of a multipart body.
import { decodedQuietly } from './decoded-quietly.js';
import { REDACTED } from './gap-marks.js';
import { isSecretName } from './secret-names.js';

const TAG_NAME = /[A-Za-z_][\w.:-]{0,200}/y;
const ATTRIBUTE = /(?<![\w.:-])([\w.:-]{1,200})\s{0,50}=\s{0,50}("[^"]*(?:"|$)|'[^']*(?:'|$))/g;
const FIELD_NAME = /\bname\*?=(?:"([^"\r\n]{0,200})"|([^\s;"]{1,200}))/gi;
const NAMING = new Set(['name', 'key', 'id', 'field', 'property']);

/**
 * Contents of elements and values of attributes whose name is that of a secret; also of `<entry key="password">x</entry>` and
 * `<input name="password" value="x">`. One pass: what is inside a blanked element is not looked at, what is not closed is
 * blanked to the end.
 */
export function blankMarkup(text: string): string {
  const parts: string[] = [];
  /** Names whose end was looked for in vain: it is not looked for again. */
  const unclosed = new Set<string>();
  let copied = 0;
  let at = text.indexOf('<');
  while (at !== -1) {
    TAG_NAME.lastIndex = at + 1;
    const [name] = TAG_NAME.exec(text) ?? [];
    if (name === undefined) {
      at = text.indexOf('<', at + 1);
      continue;
    }
    const end = endOfTag(text, at + 1 + name.length);
    const attributes = text.slice(at + 1 + name.length, end);
    const isNamed = namesSecret(attributes);
    const clean = attributes.includes('=') ? blankAttributes(attributes, isNamed) : attributes;
    parts.push(text.slice(copied, at + 1 + name.length), clean);
    copied = end;
    at = end;
    const isEmpty = attributes.endsWith('/>');
    if (!isEmpty && end < text.length && (isNamed || isSecretName(localName(name)))) {
      const closing = unclosed.has(name) ? -1 : closingTag(text, name, end);
      if (closing === -1) unclosed.add(name);
      const stop = closing === -1 ? text.length : closing;
      // `<input name="password" value="x">` has no content, and no end.
      const isContent = closing !== -1 || !isNamed;
      if (isContent && /\S/.test(text.slice(end, stop))) {
        parts.push(REDACTED);
        copied = stop;
      }
      if (isContent) at = stop;
    }
    at = text.indexOf('<', at);
  }
  parts.push(text.slice(copied));
  return parts.join('');
}

/** Of this element: `</passwordX` does not close `<password>`. */
function closingTag(text: string, name: string, from: number): number {
  const closing = `</${name}`;
  for (let at = text.indexOf(closing, from); at !== -1; at = text.indexOf(closing, at + 1)) {
    if (!/[\w.:-]/.test(text[at + closing.length] ?? '')) return at;
  }
  return -1;
}

/** Behind `>`; one in the quotes of a value does not count. */
function endOfTag(text: string, start: number): number {
  let quote = '';
  let isValue = false;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (quote !== '') {
      if (character === quote) quote = '';
      continue;
    }
    if (character === '>') return at + 1;
    if (isValue && (character === '"' || character === "'")) quote = character;
    if (!/\s/.test(character)) isValue = character === '=';
  }
  return text.length;
}

function namesSecret(attributes: string): boolean {
  for (const [, name = '', value = ''] of attributes.matchAll(ATTRIBUTE)) {
    if (NAMING.has(name.toLowerCase()) && isSecretName(value.slice(1, -1))) return true;
  }
  return false;
}

function blankAttributes(attributes: string, isNamed: boolean): string {
  return attributes.replaceAll(ATTRIBUTE, (whole, name: string, value: string) => {
    const local = localName(name).toLowerCase();
    const isSecret = isSecretName(local) && !NAMING.has(local);
    if (!isSecret && !(isNamed && local === 'value')) return whole;
    return `${whole.slice(0, whole.length - value.length)}${value[0]}${REDACTED}${value[0]}`;
  });
}

function localName(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

/**
 * A multipart body whose fields with the name of a secret are blanked; undefined for a text that is none.
 * @param blankText for the other parts
 */
export function blankMultipart(text: string, blankText: (text: string) => string): string | undefined {
  const [, boundary] = /^(?:\r?\n)?(--[^\s"]{1,200})\r?\n/.exec(text) ?? [];
  if (boundary === undefined || !/^content-disposition:/im.test(text.slice(0, 4000))) return undefined;
  const parts: string[] = [];
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf(`\n${boundary}`, at);
    const end = next === -1 ? text.length : next + 1;
    parts.push(blankPart(text.slice(at, end), blankText));
    at = end;
  }
  return parts.join('');
}

/** Fields of a multipart body that another text quotes: without its boundary, up to the next line that starts like one. */
export function blankQuotedParts(text: string): string {
  const HEAD = /content-disposition:[^\r\n]{0,500}/gi;
  const parts: string[] = [];
  let at = 0;
  for (let match = HEAD.exec(text); match !== null; match = HEAD.exec(text)) {
    const [, quoted, bare] = /\bname=(?:"([^"\r\n]{0,200})"|([^\s;"]{1,200}))/i.exec(match[0]) ?? [];
    if (!isSecretName(quoted ?? bare ?? '')) continue;
    const gap = /\r?\n\r?\n/.exec(text.slice(match.index, match.index + 2000));
    if (gap === null) continue;
    const start = match.index + gap.index + gap[0].length;
    const next = text.indexOf('\n--', start - 1);
    const end = next === -1 ? text.length : text[next - 1] === '\r' ? next - 1 : next;
    if (end > start) parts.push(text.slice(at, start), REDACTED);
    at = Math.max(start, end);
    HEAD.lastIndex = at;
  }
  return at === 0 ? text : parts.join('') + text.slice(at);
}

function blankPart(part: string, blankText: (text: string) => string): string {
  const [gap] = /\r?\n\r?\n/.exec(part) ?? [];
  const start = gap === undefined ? part.length : part.indexOf(gap) + gap.length;
  const head = part.slice(0, start);
  const content = part.slice(start);
  const [end = ''] = /\r?\n$/.exec(content) ?? [];
  const inside = content.slice(0, content.length - end.length);
  if (inside === '') return part;
  // Servers differ in which name counts when there are several: `filename="name=a"; name="b"`, `name*=UTF-8''b`.
  const isSecret = [...head.matchAll(FIELD_NAME)].some(([, quoted, bare]) =>
    isSecretName(decodedQuietly(quoted ?? bare ?? '').replace(/^[\w-]{1,20}'[\w-]{0,20}'/, '')),
  );
  return head + (isSecret ? REDACTED : blankText(inside)) + end;
}
