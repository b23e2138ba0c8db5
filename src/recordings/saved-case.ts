// A recorded request as a case for `ping-auth test`, with what the recorded policy decided as expectation.
import { Document } from 'yaml';
import { REDACTED, textOf } from '../telemetry/gap-marks.js';
import type { Explanation } from './explanation.js';
import { pathOf } from './message-text.js';
import { type Recording, recordedFieldsOf } from './recording.js';

export interface CaseSource {
  readonly recording: Recording;
  readonly explanation: Explanation;
  readonly line: number;
  readonly tags: readonly string[];
}

/** As text of a file with this case alone. */
export function savedCase(source: CaseSource): string {
  const document = new Document({ cases: [caseOf(source)] });
  return document.toString({ lineWidth: 110 });
}

/** Redacted values are variables: `${TOKEN}`. */
export function caseOf({ recording, explanation, line, tags }: CaseSource): object {
  const { shown, gaps, requestId } = recording;
  const { method, url } = shown;
  const version = 'http_version' in shown ? shown.http_version : '1.1';
  const id = requestId === undefined ? `line ${line}` : `request ${requestId}`;
  const allTags = [...tags, ...(gaps.shown.cut.length > 0 ? ['cut'] : [])];
  const lacksCertificate = [...gaps.shown.redacted, ...gaps.shown.cut].includes('client_certificate');
  return {
    name: `${escaped(method)} ${escaped(pathOf(textOf(url)))} (${escaped(id)})`,
    ...(allTags.length > 0 && { tags: allTags }),
    request: {
      method,
      url: withVariable(url, 'REDACTED_URL'),
      ...(version !== '1.1' && { http_version: version }),
      headers: headersOf(shown),
      ...bodyOf(shown),
      source_ip: 'source_ip' in shown ? shown.source_ip : undefined,
    },
    expect: expectationOf(explanation),
    ...(lacksCertificate && { skip: true }),
  };
}

function expectationOf({ decision, changed, diff }: Explanation): object {
  if (typeof decision === 'object') return { decision: 'refuse', code: decision.refused };
  const { start = '', headers = [] } = diff?.after.message ?? {};
  if (decision === 'denied') return { decision: 'deny', status: Number(start.slice(0, 3)) };
  const set = changed
    .filter((name) => name.startsWith('header:'))
    .map((name) => name.slice('header:'.length));
  const has = Object.fromEntries(
    set.flatMap((name) => {
      const values = headers.filter(([other]) => other === name).map(([, value]) => escaped(value));
      return values.some((value) => value.includes(REDACTED)) ? [] : [[name, values]];
    }),
  );
  return { decision: 'permit', changes: changed, ...(Object.keys(has).length > 0 && { headers: { has } }) };
}

function headersOf(shown: Recording['shown']): Record<string, string | string[]> {
  const headers = new Map<string, string[]>();
  for (const [rawName, value] of recordedFieldsOf(shown.headers)) {
    const name = textOf(rawName).toLowerCase();
    // Follows from the body, which may not be the recorded one.
    if (name === 'content-length') continue;
    const variable = name.endsWith('authorization') ? 'TOKEN' : name.toUpperCase().replaceAll(/\W/g, '_');
    headers.set(name, [...(headers.get(name) ?? []), withVariable(value, variable)]);
  }
  return Object.fromEntries(
    [...headers].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}

function bodyOf(shown: Recording['shown']): { body?: string } {
  const { body = '' } = shown;
  return body === '' ? {} : { body: withVariable(body, 'REDACTED_BODY') };
}

function withVariable(text: string, name: string): string {
  return text
    .split(REDACTED)
    .map((part) => escaped(textOf(part)))
    .join(`\${${name}}`);
}

/** What looks like a variable is none. */
function escaped(text: string): string {
  return text.replaceAll('${', '$$${');
}
