// From a recorded call to the question that is asked again, and from the new answer to something that can be compared with the recorded one.
import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type JsonObject } from '../../http/text.js';
import type { Decision } from '../../recordings/comparison.js';
import type { Exchange, RecordedPhase } from '../../recordings/exchanges.js';
import { explain } from '../../recordings/explanation.js';
import { type Recording, recordedFieldsOf, toRecording } from '../../recordings/recording.js';
import { cutMark, hasRedaction, messageOf, textOf } from '../../telemetry/gap-marks.js';
import { redactBody, redactMessage } from '../../telemetry/redaction.js';

/** One recorded call. */
export interface Question {
  readonly phase: 'access' | 'response';
  readonly line: number;
  readonly route: string | undefined;
  readonly provider: string | undefined;
  readonly recording: Recording;
  /** What the recorded policy said. */
  readonly decision: Decision;
  /** Without `state` and `request`, which belong to the other provider or come from the first answer. */
  readonly payload: JsonObject;
  /** The recorded payload of the request, in a call about a response. */
  readonly request: JsonObject | undefined;
  /** Parts of the message that are not as they were: `header:cookie`, `body`. Empty: it is complete. */
  readonly incomplete: readonly string[];
}

/** The new answer is there in full; where the recorded one is cut, its body is cut to the same length. */
const WHOLE = {
  body: Number.POSITIVE_INFINITY,
  text: Number.POSITIVE_INFINITY,
  url: Number.POSITIVE_INFINITY,
};

/** Why a recorded phase is not asked about again. */
export type Unusable = 'no messages' | 'no decision' | 'not readable';

/** Values that stand for what was redacted, by header name in lower case. */
export type Fillings = ReadonlyMap<string, string>;

export function toQuestion(
  phase: Question['phase'],
  exchange: Exchange,
  fillings: Fillings,
): Question | Unusable {
  const recorded: RecordedPhase | undefined = exchange[phase];
  const call = recorded?.call;
  if (recorded === undefined || call === undefined) return 'no messages';
  // Written by the plugin when the call failed: `no decision: provider_timeout`.
  if (typeof call.answer !== 'object' || call.answer === null) return 'no decision';
  let recording: Recording;
  try {
    recording = toRecording(call);
  } catch {
    return 'not readable';
  }
  const { headers, incomplete } = filled(recording, fillings);
  const raw = messageOf(isJsonObject(call.payload) ? call.payload : {}) as JsonObject;
  const { state: _, request, client_certificate: certificate, ...rest } = raw;
  return {
    phase,
    line: recorded.lines[0] ?? 0,
    route: recorded.decision?.route ?? call.route,
    provider: call.provider,
    recording,
    decision: { phase, explanation: explain(recording) },
    payload: {
      ...rest,
      headers,
      // Its x5c is always redacted, and a certificate without it is none.
      ...(isJsonObject(certificate) && Array.isArray(certificate.x5c) && { client_certificate: certificate }),
    },
    request: isJsonObject(request) ? request : undefined,
    incomplete,
  };
}

/** The new answer to a question in the place of the recorded one, redacted in the same way. */
export function decisionOf(question: Question, answer: JsonObject, secretHeader: string): Decision {
  const { recording, payload, phase } = question;
  const { shown } = recording;
  const redacted = (message: JsonObject): JsonObject => {
    const { body } = message;
    const clean = redactMessage(message, secretHeader, WHOLE) as JsonObject;
    // Sent as it was recorded: redacting it twice would change it.
    const text =
      body === payload.body
        ? shown.body
        : typeof body === 'string'
          ? cutAsRecorded(body, recording)
          : undefined;
    const headers = asRecorded(message.headers, clean.headers);
    return { ...clean, headers, ...(text !== undefined && { body: text }) };
  };
  /** What comes back as it was sent stands there as it was recorded. */
  const asRecorded = (headers: unknown, clean: unknown): unknown => {
    if (!Array.isArray(headers) || !Array.isArray(clean)) return clean;
    return headers.map((pair: unknown, index) => {
      const sent = (payload.headers as unknown[]).findIndex((one) => isDeepStrictEqual(one, pair));
      const [name, value] = recordedFieldsOf(shown.headers)[sent] ?? [];
      return name === undefined ? clean[index] : { [name]: value };
    });
  };
  const comparable = isJsonObject(answer.response)
    ? { response: redacted(answer.response) }
    : redacted(answer);
  return { phase, explanation: explain({ ...recording, answer: comparable } as Recording) };
}

/** The client's headers with what is known in the place of what was redacted. */
function filled({ shown, gaps }: Recording, fillings: Fillings) {
  const headers = recordedFieldsOf(shown.headers).map(([name, value]) => {
    const known = hasRedaction(value) ? fillings.get(name.toLowerCase()) : undefined;
    return { [textOf(name)]: known ?? textOf(value) };
  });
  const missing = new Set([...gaps.shown.redacted, ...gaps.shown.cut]);
  for (const name of fillings.keys()) missing.delete(`header:${name}`);
  // Its own, which is not sent on.
  missing.delete('state');
  return { headers, incomplete: [...missing].filter((name) => name !== 'request') };
}

/** Cut where the recorded body was. */
function cutAsRecorded(body: string, { answer }: Recording): string {
  const inner = isJsonObject(answer) && isJsonObject(answer.response) ? answer.response : answer;
  const recorded = isJsonObject(inner) && typeof inner.body === 'string' ? inner.body : '';
  const cut = cutMark(recorded);
  return redactBody(body, cut === undefined ? Number.POSITIVE_INFINITY : recorded.length - cut.length);
}
