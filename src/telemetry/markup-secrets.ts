// Secrets in XML and HTML, and in the parts of a multipart body.
import { REDACTED } from './gap-marks.js';
import { isSecretName } from './secret-names.js';
import { decodedQuietly, type Edit, edited } from './text-edits.js';

const TAG_NAME = /[A-Za-z_][\w.:-]{0,200}/y;
const ATTRIBUTE = /(?<![\w.:-])([\w.:-]{1,200})\s{0,50}=\s{0,50}("[^"]*(?:"|$)|'[^']*(?:'|$))/g;
const FIELD_NAME = /\bname\*?=(?:"([^"\r\n]{0,200})"|([^\s;"]{1,200}))/gi;
const EMPTY_LINE = /\r?\n\r?\n/;
const PART_HEAD = /content-disposition:[^\r\n]{0,500}/gi;
const NAMING = new Set(['name', 'key', 'id', 'field', 'property']);

/**
 * Contents of elements and values of attributes whose name is that of a secret; also of `<entry key="password">x</entry>` and
 * `<input name="password" value="x">`. One pass: what is inside a blanked element is not looked at, what is not closed is
 * blanked to the end.
 */
export function blankMarkup(text: string): string {
  const edits: Edit[] = [];
  /** Names whose end was looked for in vain: it is not looked for again. */
  const unclosed = new Set<string>();
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at)) {
    TAG_NAME.lastIndex = at + 1;
    const [name] = TAG_NAME.exec(text) ?? [];
    at += 1 + (name?.length ?? 0);
    if (name === undefined) continue;
    const end = endOfTag(text, at);
    const attributes = text.slice(at, end);
    const isNamed = namesSecret(attributes);
    if (attributes.includes('=')) edits.push([at, end, blankAttributes(attributes, isNamed)]);
    at = end;
    const isEmpty = attributes.endsWith('/>') || end === text.length;
    if (isEmpty || !(isNamed || isSecretName(localName(name)))) continue;
    const closing = unclosed.has(name) ? -1 : closingTag(text, name, end);
    if (closing === -1) unclosed.add(name);
    // `<input name="password" value="x">` has no content, and no end.
    if (closing === -1 && isNamed) continue;
    at = closing === -1 ? text.length : closing;
    if (/\S/.test(text.slice(end, at))) edits.push([end, at, REDACTED]);
  }
  return edited(text, edits);
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
  const edits: Edit[] = [];
  for (let head = PART_HEAD.exec(text); head !== null; head = PART_HEAD.exec(text)) {
    if (!namesSecretField(head[0])) continue;
    const gap = EMPTY_LINE.exec(text.slice(head.index, head.index + 2000));
    if (gap === null) continue;
    const start = head.index + gap.index + gap[0].length;
    const next = text.indexOf('\n--', start - 1);
    const end = next === -1 ? text.length : text[next - 1] === '\r' ? next - 1 : next;
    if (end > start) edits.push([start, end, REDACTED]);
    PART_HEAD.lastIndex = Math.max(start, end);
  }
  return edited(text, edits);
}

function blankPart(part: string, blankText: (text: string) => string): string {
  const gap = EMPTY_LINE.exec(part);
  const start = gap === null ? part.length : gap.index + gap[0].length;
  const content = part.slice(start);
  const [end = ''] = /\r?\n$/.exec(content) ?? [];
  const inside = content.slice(0, content.length - end.length);
  if (inside === '') return part;
  const head = part.slice(0, start);
  return head + (namesSecretField(head) ? REDACTED : blankText(inside)) + end;
}

/** Servers differ in which name counts when there are several: `filename="name=a"; name="b"`, `name*=UTF-8''b`. */
function namesSecretField(head: string): boolean {
  return [...head.matchAll(FIELD_NAME)].some(([, quoted, bare]) => {
    const name = decodedQuietly(quoted ?? bare ?? '');
    // With and without what may be a charset and a language: `UTF-8''b`, and a field that is really called `secret''`.
    return isSecretName(name) || isSecretName(name.replace(/^[\w-]{1,20}'[\w-]{0,20}'/, ''));
  });
}
