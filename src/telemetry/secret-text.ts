// Where secrets stand in a text of any kind: JSON, markup, multipart, forms, URLs, header lines, tokens.
import { REDACTED } from './gap-marks.js';
import { blankJson } from './json-secrets.js';
import { blankMarkup, blankMultipart, blankQuotedParts } from './markup-secrets.js';
import { isSecretName } from './secret-names.js';
import { decodedQuietly, type Edit, edited } from './text-edits.js';

/** JSON in a form in JSON … is looked into so deep: each level costs the text once more. */
const MAX_NESTING = 3;

/** Nothing in it that could be, or introduce, a secret. */
const HARMLESS = /^[\w .,()+*!-]*$/;

/** A body, or a text inside one. Every pass takes a time that grows with the text, whatever the text is. */
export function blankBody(text: string, nesting = 0): string {
  if (nesting > MAX_NESTING || (HARMLESS.test(text) && !text.includes('eyJ'))) return text;
  const inner = (inside: string) => blankBody(inside, nesting + 1);
  if (/^[\s\ufeff]*[[{"]/.test(text.slice(0, 1000))) {
    const json = blankJson(text, inner);
    if (json !== undefined) return json;
  }
  const multipart = blankMultipart(text, inner);
  if (multipart !== undefined) return multipart;
  // A form is one word: a value in it may hold the quotes that end one elsewhere.
  const isForm = /^[^\s=&<>"'{}()]{1,200}=\S*$/.test(text);
  let clean = isForm ? blankWord(text, nesting) : text;
  if (/^data:/m.test(clean))
    clean = clean.replaceAll(
      /^(data: ?)([[{].*)$/gm,
      (_, head: string, json: string) => head + (blankJson(json, inner) ?? json),
    );
  if (/content-disposition:/i.test(clean)) clean = blankQuotedParts(clean);
  if (clean.includes('<')) clean = blankMarkup(clean);
  clean = blankLines(blankQuoted(clean));
  return blankTokens(isForm ? clean : blankWords(clean, nesting));
}

/** A text that is shown in one line: a header's value, a path, an error's detail. */
export function blankText(text: string): string {
  return blankTokens(blankWords(blankQuoted(text), 0));
}

/** A URL, which need not parse, or a query or form: user info, parameters of query, fragment and path. */
export function blankUrl(url: string): string {
  return blankTokens(blankWord(blankQuoted(url), 0));
}

/** `password: "x"`, `password='x'`, `\"password\":\"x\"`, in whatever it stands. */
const QUOTED =
  /(?<![\w.$[\]-])((?:[\w.$[\]-]|\\u[\da-fA-F]{4}){1,100})(\\?["']?\s{0,20}[:=]\s{0,20})(?=\\?["']|-?\d)/g;

function blankQuoted(text: string): string {
  if (!/["']/.test(text)) return text;
  const edits: Edit[] = [];
  for (let match = QUOTED.exec(text); match !== null; match = QUOTED.exec(text)) {
    const [whole, name = '', between = ''] = match;
    if (!isSecretName(unescaped(name))) continue;
    const start = match.index + whole.length;
    const isNumber = /[-\d]/.test(text[start] ?? '');
    // A bare `pin=1` is a pair of a query, which ends elsewhere.
    if (isNumber && !/["']/.test(between)) continue;
    const end = isNumber ? endOf(text, start, /[^\d.eE+-]/g) : endOfQuoted(text, start);
    const [quote = '"'] = /^\\?["']/.exec(text.slice(start, start + 2)) ?? [];
    edits.push([start, end, `${quote}${REDACTED}${quote}`]);
    QUOTED.lastIndex = end;
  }
  return edited(text, edits);
}

/** `p\u0061ssword` of JSON that cannot be read as a whole. */
function unescaped(name: string): string {
  return name.replaceAll(/\\u([\da-fA-F]{4})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** Behind the same quote, escaped or not as the first one; the end of the text when there is none. */
function endOfQuoted(text: string, start: number): number {
  if (text.startsWith('"""', start)) {
    const end = text.indexOf('"""', start + 3);
    return end === -1 ? text.length : end + 3;
  }
  const isEscaped = text[start] === '\\';
  const quote = text[isEscaped ? start + 1 : start];
  for (let at = start + (isEscaped ? 2 : 1); at < text.length; at += 1) {
    if (text[at] === '\\') {
      if (isEscaped && text[at + 1] === quote) return at + 2;
      at += 1;
    } else if (text[at] === quote && !isEscaped) return at + 1;
  }
  return text.length;
}

/** `Cookie: a=b`, `password: x`, `password = x`: a header, YAML, a settings file. */
const LINE = /^([ \t]*(?:-[ \t]+)?)([\w.[\]-]{1,100})([ \t]*:[ \t]+|[ \t]+=[ \t]*|=[ \t]+)([^\r\n]+)/gm;

function blankLines(text: string): string {
  return text.replaceAll(LINE, (whole, indent: string, name: string, between: string, value: string) => {
    if (!isSecretName(name) || value.startsWith(`"${REDACTED}`) || value.startsWith(`'${REDACTED}`))
      return whole;
    return `${indent}${name}${between}${schemeOf(name, value)}${REDACTED}`;
  });
}

const AUTH_SCHEME = /^(?:basic|bearer|dpop|digest|negotiate|ntlm|hoba|mutual)\s/i;

/** `Bearer ` of a value of Authorization: it says how somebody tried to get in. */
export function schemeOf(name: string, value: string): string {
  return /authori[sz]ation$/i.test(name) ? (AUTH_SCHEME.exec(value)?.[0] ?? '') : '';
}

function blankWords(text: string, nesting: number): string {
  if (!/[=@]/.test(text)) return text;
  return text.replaceAll(/[^\s"'<>]+/g, (word) => blankWord(word, nesting));
}

/** Pairs `name=value` behind a separator or at the start. Neither part can hold a separator, so each is read once. */
const PAIR = /(^|[?&;,#(|!/{])([^=?&;,#(|!/{]+)=/g;

/** Encoded characters that a secret inside a value would need: `= { @ < % & ? " :` */
const ENCODED = /%(?:3d|7b|40|3c|25|26|3f|22|3a)/i;

function blankWord(word: string, nesting: number): string {
  const text = withoutUserInfo(word);
  if (!text.includes('=')) return text;
  const edits: Edit[] = [];
  // Not kept in PAIR.lastIndex: the text inside a value is looked through with the same expression.
  let from = 0;
  /** Where the outermost value ends that was decoded: the pairs in it (`a=/b=/c=%3d`) were looked at with it. */
  let decodedTo = 0;
  for (;;) {
    PAIR.lastIndex = from;
    const match = PAIR.exec(text);
    if (match === null) return edited(text, edits);
    const [whole, before = '', name = ''] = match;
    const start = match.index + whole.length;
    from = start;
    if (isSecretName(decodedName(name))) {
      // A parameter of the path ends with its segment; elsewhere a value may hold all but the separator of its kind.
      const end = endOf(text, start, before === ';' ? /[/?#&;]/g : /[&#]/g);
      if (end === start) continue;
      edits.push([start, end, REDACTED]);
      from = end;
    } else if (nesting < MAX_NESTING && start >= decodedTo) {
      const end = endOf(text, start, /[&#;]/g);
      decodedTo = end;
      const value = text.slice(start, end);
      if (!ENCODED.test(value)) continue;
      let inside = decodedQuietly(value.replaceAll('+', ' '));
      // Encoded twice, as a URL in a URL is.
      if (ENCODED.test(inside)) inside = decodedQuietly(inside);
      const clean = blankBody(inside, nesting + 1);
      if (clean === inside) continue;
      const encoded = encodeURIComponent(clean.toWellFormed()).replaceAll('%5Bredacted%5D', REDACTED);
      edits.push([start, end, encoded]);
      from = end;
    }
  }
}

function endOf(text: string, start: number, separators: RegExp): number {
  separators.lastIndex = start;
  return separators.exec(text)?.index ?? text.length;
}

/** `scheme://user:password@host` and `//user@host`. */
function withoutUserInfo(word: string): string {
  if (!word.includes('@')) return word;
  const edits: Edit[] = [];
  for (let slashes = word.indexOf('//'); slashes !== -1; slashes = word.indexOf('//', slashes + 2)) {
    if (slashes > 0 && word[slashes - 1] !== ':') continue;
    const start = slashes + 2;
    const end = endOf(word, start, /[/?#\\]/g);
    const last = word.slice(start, end).lastIndexOf('@');
    if (last !== -1) edits.push([start, start + last, REDACTED]);
  }
  return edited(word, edits);
}

/** Twice: `acc%2565ss_token`. */
function decodedName(name: string): string {
  if (!/[%+]/.test(name)) return name;
  return decodedQuietly(decodedQuietly(name.replaceAll('+', ' ')));
}

/** From the end of its first line; up to the start of its last line, or to the end where it is cut off. */
const PRIVATE_KEY = /(PRIVATE KEY-----)[\s\S]*?(-----END[\s\S]*?PRIVATE KEY-----|-----END|$)/g;

/** What is a credential whatever it is called: a JWT, `Bearer …`, a private key. */
function blankTokens(text: string): string {
  let clean = text;
  if (clean.includes('eyJ')) clean = clean.replaceAll(/[\w.-]+/g, blankJwt);
  if (/bearer|basic|dpop|negotiate/i.test(clean)) {
    clean = clean.replaceAll(
      /\b(bearer|basic|dpop|negotiate)([ \t]{1,20}|%20|\+)([\w.~+/=-]{12,})/gi,
      (whole, scheme: string, space: string, value: string) =>
        /\d/.test(value) || /[a-z][A-Z]/.test(value) ? `${scheme}${space}${REDACTED}` : whole,
    );
  }
  return clean.replaceAll(PRIVATE_KEY, `$1${REDACTED}$2`);
}

/** From the start of the token to the end of the run of its characters: each run is looked at once. */
function blankJwt(run: string): string {
  const start = /(?<!\w)eyJ/.exec(run)?.index;
  if (start === undefined) return run;
  const segments = run.slice(start).split('.');
  for (let index = 0; index + 1 < segments.length; index += 1) {
    const segment = segments[index] ?? '';
    const from = /(?<!\w)eyJ/.exec(segment)?.index;
    if (from === undefined || segment.length - from < 9 || (segments[index + 1] ?? '').length < 6) continue;
    const before = segments.slice(0, index).join('.');
    return `${run.slice(0, start)}${index === 0 ? '' : `${before}.`}${segment.slice(0, from)}${REDACTED}`;
  }
  return run;
}
