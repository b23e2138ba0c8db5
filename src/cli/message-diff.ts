// How `explain`, `test` and `replay` show people what became of a message.
import { type ChangeObject, diffLines } from 'diff';
import { reasonPhrase } from '../exchange/status.js';
import { printable } from '../telemetry/redaction.js';
import type { Paint } from './paint.js';

/** A text to compare and whose it is: `what the client sent`. */
export interface Side {
  readonly label: string;
  readonly text: string;
}

export interface MessageDiff {
  readonly before: Side;
  readonly after: Side;
}

export interface DiffLayout {
  /** In front of each line. */
  readonly indent?: string;
  /** Lines shown around a change; what is further away becomes `…`. Default: all. */
  readonly context?: number;
}

/** A request or a response as far as it is shown. */
interface Message {
  readonly headers: Iterable<readonly [name: string, value: string]>;
  readonly body: Uint8Array;
}

export interface RequestToShow extends Message {
  readonly method: string;
  readonly url: string;
}

export interface ResponseToShow extends Message {
  readonly status: number;
}

/** A message as lines that can be compared: start line, headers, body; JSON bodies laid out, one member a line. */
export function requestAsText(request: RequestToShow): string {
  return lines(`${request.method} ${request.url}`, request.headers, request.body);
}

export function responseAsText(response: ResponseToShow): string {
  return lines(`${response.status} ${reasonPhrase(response.status)}`, response.headers, response.body);
}

/** A value of JSON or a text of any kind, in the same layout as a body. */
export function valueAsText(value: unknown): string {
  if (typeof value === 'string') return `${bodyText(value)}\n`;
  const text: string | undefined = JSON.stringify(value, undefined, 2);
  return `${(text ?? 'nothing').split('\n').map(printable).join('\n')}\n`;
}

/** `---` and `+++` with the labels, then the lines with ` `, `-` or `+`. Safe for a terminal: nothing in it moves the cursor. */
export function diffInWords({ before, after }: MessageDiff, paint: Paint, layout: DiffLayout = {}): string[] {
  const { indent = '' } = layout;
  const output = [paint.red(`--- ${printable(before.label)}`), paint.green(`+++ ${printable(after.label)}`)];
  const parts = compare(before.text, after.text);
  for (const [index, part] of parts.entries()) {
    const content = part.value.replace(/\n$/, '').split('\n');
    if (part.added) output.push(...content.map((line) => paint.green(`+ ${line}`)));
    else if (part.removed) output.push(...content.map((line) => paint.red(`- ${line}`)));
    else {
      const place = { isFirst: index === 0, isLast: index === parts.length - 1 };
      output.push(...shortened(content, layout.context, place).map((line) => `  ${line}`));
    }
  }
  return output.map((line) => `${indent}${line}`.trimEnd());
}

/** Two long texts that have nothing in common would take minutes to compare; those stand one below the other. */
function compare(before: string, after: string): ChangeObject<string>[] {
  const whole = (value: string, added: boolean) => ({ value, added, removed: !added, count: 1 });
  return diffLines(before, after, { maxEditLength: 2000 }) ?? [whole(before, false), whole(after, true)];
}

/** Unchanged lines: those near a change, before or behind them. */
function shortened(
  content: string[],
  context: number | undefined,
  { isFirst, isLast }: { isFirst: boolean; isLast: boolean },
): string[] {
  const [head, tail] = [isFirst ? 0 : (context ?? 0), isLast ? 0 : (context ?? 0)];
  if (context === undefined || content.length <= head + tail + 1) return content;
  return [...content.slice(0, head), '…', ...content.slice(content.length - tail)];
}

function lines(start: string, headers: Message['headers'], body: Uint8Array): string {
  const head = [start, ...Array.from(headers, ([name, value]) => `${name}: ${value}`)].map(printable);
  if (body.length === 0) return `${head.join('\n')}\n`;
  return `${head.join('\n')}\n\n${bodyText(new TextDecoder().decode(body))}\n`;
}

function bodyText(text: string): string {
  try {
    // Numbers beyond 2^53 would be shown wrong; then the text as it is tells more.
    const value: unknown = JSON.parse(text);
    if (!/\d{16}/.test(text))
      return JSON.stringify(value, undefined, 2).split('\n').map(printable).join('\n');
  } catch {
    // Not JSON.
  }
  return text.split('\n').map(printable).join('\n');
}
