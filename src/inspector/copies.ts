// A recorded request as something to run again: a case for `ping-auth test`, a curl command.

import type { Exchange } from '../recordings/exchanges.js';
import { explain } from '../recordings/explanation.js';
import { type RecordedRequest, recordedFieldsOf, toRecording } from '../recordings/recording.js';
import { savedCase } from '../recordings/saved-case.js';
import { REDACTED, textOf } from '../telemetry/gap-marks.js';
import type { ExchangeDetail } from './wire.js';

/** curl makes these itself. */
const OWN_HEADERS = new Set(['content-length', 'host', 'connection', 'accept-encoding']);

/** undefined when the log has not the request's messages. */
export function copiesOf({ access }: Exchange): ExchangeDetail['copies'] {
  if (access?.call === undefined) return undefined;
  try {
    const recording = toRecording(access.call);
    if (recording.phase !== 'access') return undefined;
    const explanation = explain(recording);
    return {
      curl: curlOf(recording.shown),
      testCase: savedCase({ recording, explanation, line: access.lines[0] ?? 0, tags: [] }),
    };
  } catch {
    return undefined;
  }
}

/** Redacted values are variables of the shell: `"$TOKEN"`. */
export function curlOf(shown: RecordedRequest): string {
  const { method, url, headers, body = '' } = shown;
  const parts = [`curl ${quoted(url, 'REDACTED_URL')}`];
  if (method !== 'GET') parts.push(`-X ${quoted(method, 'METHOD')}`);
  for (const [name, value] of recordedFieldsOf(headers)) {
    const lower = textOf(name).toLowerCase();
    if (OWN_HEADERS.has(lower)) continue;
    const variable = lower.endsWith('authorization') ? 'TOKEN' : lower.toUpperCase().replaceAll(/\W/g, '_');
    parts.push(`-H ${quoted(value === '' ? `${name};` : `${name}: ${value}`, variable)}`);
  }
  if (body !== '') parts.push(`--data-raw ${quoted(body, 'REDACTED_BODY')}`);
  return `${parts.join(' \\\n  ')}\n`;
}

/** In single quotes nothing means anything to a shell; a control character (a terminal would take it for a key) as `$'\u001b'`. */
function quoted(recorded: string, variable: string): string {
  return recorded
    .split(REDACTED)
    .map((part) => {
      const text = textOf(part);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what is escaped
      if (!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text))
        return `'${text.replaceAll("'", "'\\''")}'`;
      const inside = text.replaceAll(
        /[\\'\p{Cc}]/gu,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
      return `$'${inside}'`;
    })
    .join(`"$${variable}"`);
}
