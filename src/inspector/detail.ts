import { ERRORS } from '../errors/catalogue.js';
import { failureOf } from '../recordings/derived-decision.js';
import type { Exchange, RecordedPhase } from '../recordings/exchanges.js';
import { explain, shownText } from '../recordings/explanation.js';
import { gapsOf } from '../recordings/gaps.js';
import { isErrorCode } from '../recordings/log-record.js';
import { compareMessages } from '../recordings/message-difference.js';
import type { MessageText } from '../recordings/message-text.js';
import { toRecording } from '../recordings/recording.js';
import { shadowComparison } from '../recordings/shadow-comparison.js';
import { messageOf, textOf } from '../telemetry/gap-marks.js';
import { printable, printableLines } from '../telemetry/printable.js';
import { copiesOf } from './copies.js';
import { members, type Names, serviceOf, text, toRow, toRowPhase } from './row.js';
import type { CodeHelp, ExchangeDetail, PhaseDetail, PhaseMessages } from './wire.js';

/** By error code: what docs/errors.md advises. */
export type Remedies = Readonly<Record<string, string>>;

const MAX_ANSWER_CHARACTERS = 200_000;

/** An opened exchange, with what the plugin's own rules make of the recorded messages. */
export function toDetail(exchange: Exchange, remedies: Remedies, names: Names): ExchangeDetail {
  const { access, response } = exchange;
  const { access: _, response: __, ...row } = toRow(exchange, names);
  const shown = members(access?.call?.payload ?? response?.call?.payload);
  const [url, clientIp] = [text(shown.url), text(shown.source_ip)];
  const service = serviceOf(exchange);
  const serviceName = service === undefined ? undefined : names.get(service);
  const copies = copiesOf(exchange);
  return {
    ...row,
    ...(url !== undefined && { url: printable(textOf(url)) }),
    ...(clientIp !== undefined && { clientIp: printable(textOf(clientIp)) }),
    ...(service !== undefined && { service: printable(service) }),
    ...(serviceName !== undefined && { serviceName: printable(serviceName) }),
    ...(copies && { copies }),
    ...(access && { access: phaseDetail(access, 'access', remedies) }),
    ...(response && { response: phaseDetail(response, 'response', remedies) }),
  };
}

function phaseDetail(phase: RecordedPhase, name: 'access' | 'response', remedies: Remedies): PhaseDetail {
  const { decision, call, lines } = phase;
  const provider = decision?.provider ?? call?.provider;
  const time = decision?.time ?? call?.time;
  const row = toRowPhase(phase, name);
  const shadowSides = shadowComparison(phase, true)?.sides;
  return {
    ...row,
    lines,
    ...(decision?.ms !== undefined && { ms: decision.ms }),
    ...(time !== undefined && { time }),
    ...(provider !== undefined && { provider: printable(provider) }),
    ...(decision?.detail !== undefined && { detail: printable(decision.detail) }),
    ...(decision?.ignored && { ignored: decision.ignored.map(printable) }),
    ...(decision?.correlation_id !== undefined && { correlationId: printable(decision.correlation_id) }),
    ...(decision?.provider_error_id !== undefined && {
      providerErrorId: printable(decision.provider_error_id),
    }),
    ...((decision?.shortened || call?.shortened) && { shortened: true }),
    ...(isErrorCode(row.code) && { help: help(row.code, remedies) }),
    ...(call && { messages: messages(call) }),
    ...(shadowSides && { shadowSides }),
  };
}

function help(code: keyof typeof ERRORS, remedies: Remedies): CodeHelp {
  const { meaning, status, message, failOpenScope } = ERRORS[code];
  return {
    meaning,
    status,
    clientMessage: message,
    failOpen: failOpenScope !== undefined,
    remedy: remedies[code] ?? '',
  };
}

/** Never throws: a message that cannot be read is told about. */
function messages(call: NonNullable<RecordedPhase['call']>): PhaseMessages {
  const answer = call.answer === undefined ? {} : { answer: answerText(call.answer) };
  try {
    const recording = toRecording(call);
    const { shown, answer: answered } = recording.gaps;
    const rest = {
      shown: shownText(recording),
      ...answer,
      redacted: [...new Set([...shown.redacted, ...answered.redacted])],
      cut: [...new Set([...shown.cut, ...answered.cut])],
    };
    const failure = noDecision(call.answer);
    if (failure !== undefined) return { ...rest, problem: failure };
    const { diff, title, decision } = explain(recording);
    if (diff === undefined) return { ...rest, problem: title };
    const { before, after } = diff;
    if (decision === 'denied') return { ...rest, ...(after.message && { denial: after.message }) };
    return { ...rest, difference: compareMessages(before.message, after.message) };
  } catch (thrown) {
    const why = printable(thrown instanceof Error ? thrown.message : String(thrown));
    const problem = `the recorded message cannot be read: ${why}`;
    return { shown: asRecorded(call.payload), ...answer, problem, ...gapsOf(call.payload) };
  }
}

/** A message that is none for the plugin's rules: as much of it as there is. */
function asRecorded(payload: unknown): MessageText {
  const { method, url, response_code: code, headers, body } = members(messageOf(payload));
  const fields = Array.isArray(headers) ? headers.flatMap((pair) => Object.entries(members(pair))) : [];
  return {
    start: printable(
      [code, code === undefined ? method : undefined, url].filter((part) => part !== undefined).join(' '),
    ),
    headers: fields.map(([name, value]) => [printable(name), printable(String(value))]),
    body: printableLines(text(body) ?? ''),
  };
}

/** What the plugin writes in the place of an answer when the call failed. */
function noDecision(answer: unknown): string | undefined {
  return failureOf(answer) === undefined ? undefined : printable(String(answer));
}

function answerText(answer: unknown): string {
  const text = typeof answer === 'string' ? textOf(answer) : JSON.stringify(messageOf(answer), undefined, 2);
  return printableLines(text.slice(0, MAX_ANSWER_CHARACTERS));
}
