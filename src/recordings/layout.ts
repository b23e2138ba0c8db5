// Bodies laid out for people: one member, field or element a line. Only white space between the parts is changed.
import { cutMark } from '../telemetry/gap-marks.js';

/** JSON, forms and XML (also cut off at the end); anything else as it is, with line feeds alone as ends of lines. */
export function laidOut(text: string): string {
  const mark = cutMark(text) ?? '';
  const inside = mark === '' ? text : text.slice(0, -mark.length);
  const laid =
    (/^[\s\ufeff]*[[{]/.test(inside) ? laidOutJson(inside, mark !== '') : undefined) ??
    laidOutForm(inside) ??
    laidOutXml(inside);
  return laid === undefined ? text.replaceAll('\r\n', '\n') : laid + mark;
}

function laidOutJson(text: string, isCut: boolean): string | undefined {
  if (!isCut && !isJson(text)) return undefined;
  const parts: string[] = [];
  let depth = 0;
  const line = () => `\n${'  '.repeat(Math.max(0, Math.min(depth, 100)))}`;
  const TOKEN = /"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/gs;
  let before = '';
  for (const [token] of text.matchAll(TOKEN)) {
    const isEnd = token === '}' || token === ']';
    if (isEnd) {
      depth -= 1;
      if (before !== '{' && before !== '[') parts.push(line());
    } else if (before === '{' || before === '[' || before === ',') parts.push(line());
    parts.push(token === ':' ? ': ' : token);
    if (token === '{' || token === '[') depth += 1;
    before = token;
  }
  return parts.join('');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\ufeff/, ''));
    return true;
  } catch {
    return false;
  }
}

function laidOutForm(text: string): string | undefined {
  return /^[^\s=&<>"{}]{1,200}=[^\s<>"{}]*$/.test(text) && text.includes('&')
    ? text.replaceAll('&', '\n&')
    : undefined;
}

const MAX_XML = 500_000;

function laidOutXml(text: string): string | undefined {
  if (
    !/^[\s\ufeff]*<(?:\?xml|[A-Za-z_])/.test(text.slice(0, 200)) ||
    /<(?:!doctype )?html/i.test(text.slice(0, 200))
  )
    return undefined;
  if (text.length > MAX_XML) return undefined;
  const lines: string[] = [];
  let depth = 0;
  /** The element that was opened last, while nothing but text has come. */
  let open: string | undefined;
  for (const token of xmlTokens(text)) {
    const isTag = token.startsWith('<') && !token.startsWith('<!') && !token.startsWith('<?');
    if (isTag && token.startsWith('</')) {
      depth = Math.max(0, depth - 1);
      // `<a>text</a>` is one line.
      if (open !== undefined) lines.push(`${lines.pop() ?? ''}${token}`);
      else lines.push(indent(depth) + token);
      open = undefined;
    } else if (token.startsWith('<')) {
      lines.push(indent(depth) + token);
      const hasContent = isTag && token.endsWith('>') && !token.endsWith('/>');
      open = hasContent ? token : undefined;
      if (hasContent) depth += 1;
    } else if (token.trim() !== '') {
      if (open !== undefined) lines.push(`${lines.pop() ?? ''}${token}`);
      else lines.push(indent(depth) + token.trim());
    }
  }
  return lines.join('\n').replaceAll('\r\n', '\n');
}

function indent(depth: number): string {
  return '  '.repeat(Math.min(depth, 100));
}

/** Tags, comments, CDATA and the text between them; what is not closed goes to the end. */
function* xmlTokens(text: string): Generator<string> {
  let at = 0;
  while (at < text.length) {
    const isMarkup = text[at] === '<';
    const closing = !isMarkup
      ? '<'
      : text.startsWith('<![CDATA[', at)
        ? ']]>'
        : text.startsWith('<!--', at)
          ? '-->'
          : '>';
    const found = text.indexOf(closing, at + 1);
    const end = found === -1 ? text.length : isMarkup ? found + closing.length : found;
    yield text.slice(at, end);
    at = end;
  }
}
