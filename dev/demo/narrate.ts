import { styleText } from 'node:util';
import type { SidebandCall } from '../policy-provider/call-log.js';
import type { JsonValue } from '../policy-provider/rules.js';
import { explainDecision } from './explain-decision.js';
import type { Story, Trail } from './stories.js';

/** Headers that every request has and no story is about. */
const UNINTERESTING =
  /^(host|connection|content-length|user-agent|date|server|via|keep-alive|transfer-encoding|x-forwarded-.*|x-real-ip|x-kong-.*|x-test-id)$/i;
const LONGEST_LINE = 110;

/** Tells one story on the terminal. Returns whether everything in it is as it should be. */
export function tell(number: number, story: Story, trail: Trail): boolean {
  heading(`${number}  ${story.title}`);
  const { sent, calls, upstream, got } = trail;
  party('client sent', [
    `${sent.method ?? 'GET'} ${sent.path ?? '/'}`,
    ...headerLines(sent.headers ?? []),
    ...bodyLines(sent.body?.toString()),
  ]);
  party(
    'policy said',
    calls.length === 0
      ? [story.providerDown ? 'nothing: it is down' : 'nothing: it was not asked']
      : calls.flatMap(callLines),
  );
  const reached = upstream.flatMap((request) => [
    `${request.method} ${request.url}`,
    ...headerLines(request.headers),
    ...bodyLines(request.bodyText),
  ]);
  party('upstream got', reached.length === 0 ? ['nothing'] : reached);
  party('client got', [`${got.status} ${got.reason}`, ...headerLines(got.headers), ...bodyLines(got.text())]);
  return reportChecks(story.checks, trail);
}

/** Says of each check whether it holds. Returns whether all do. */
export function reportChecks<T>(checks: Readonly<Record<string, (trail: T) => boolean>>, trail: T): boolean {
  return Object.entries(checks)
    .map(([words, holds]) => {
      const right = holds(trail);
      console.log(`  ${right ? styleText('green', '✔') : styleText('red', '✘')} ${words}`);
      return right;
    })
    .every(Boolean);
}

export function heading(text: string): void {
  console.log(`\n${styleText('bold', `── ${text} ${'─'.repeat(Math.max(0, 72 - text.length))}`)}`);
}

export function party(name: string, lines: readonly string[]): void {
  lines.forEach((line, index) => {
    const label = styleText('cyan', (index === 0 ? name : '').padEnd(14));
    console.log(`  ${label}${line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 1)}…` : line}`);
  });
}

export function callLines(call: SidebandCall): string[] {
  const when = call.phase === 'request' ? 'before' : 'after ';
  const [first = '', ...rest] = explainDecision(asObject(call.payload), asObject(call.answer), call.status);
  return [`${when}  ${first}`, ...rest.map((line) => `        ${line}`)];
}

function headerLines(headers: Iterable<readonly [string, string]>): string[] {
  return [...headers]
    .filter(([name]) => !UNINTERESTING.test(name))
    .map(([name, value]) => `${name}: ${value}`);
}

function bodyLines(body: string | undefined): string[] {
  if (body === undefined || body === '') return [];
  const lines = body.trimEnd().split('\n');
  return lines.length > 3 ? [`(${body.length} bytes)`] : lines;
}

function asObject(value: JsonValue | undefined): Readonly<Record<string, JsonValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
