import { type Decision, differencesOf } from '../../recordings/comparison.js';
import type { RecordedPhase } from '../../recordings/exchanges.js';
import { explain } from '../../recordings/explanation.js';
import type { ShadowCallLine, ShadowLine, SidebandLine } from '../../recordings/log-record.js';
import { readLog } from '../../recordings/read-log.js';
import { type Recording, toRecording } from '../../recordings/recording.js';
import { type Question, toQuestion } from '../replay/question.js';
import type { Tally } from '../replay/tally.js';

/** Live calls whose shadow may still answer. */
const MAX_OPEN = 20_000;

interface LiveCall {
  readonly line: number;
  readonly call: SidebandLine;
}

export interface ShadowReading {
  /** Results in lines without messages. */
  readonly lines: ShadowLine[];
  /** Lines that cannot be read. */
  readonly broken: number;
  readonly provider: string | undefined;
}

const MAX_LINES = 1_000_000;

/** Compares what a shadow policy answered with the live decision about the same message, for all of a log or recording. */
export async function tallyShadow(
  source: AsyncIterable<Uint8Array>,
  tally: Tally,
  ignored: ReadonlySet<string>,
): Promise<ShadowReading> {
  const open = new Map<string, LiveCall>();
  const lines: ShadowLine[] = [];
  let broken = 0;
  let provider: string | undefined;
  for await (const { line, record } of readLog(source)) {
    if (record.kind === 'broken') broken++;
    else if (record.kind === 'sideband') remember(open, keyOf(record), { line, call: record });
    else if (record.kind === 'shadow' && lines.length < MAX_LINES) lines.push(record);
    else if (record.kind === 'shadow_call') {
      provider ??= record.provider;
      const live = open.get(keyOf(record));
      if (live === undefined) tally.skip('no messages');
      else compare(live, record, tally, ignored);
      open.delete(keyOf(record));
    }
  }
  return { lines, broken, provider };
}

function compare(
  { line, call }: LiveCall,
  shadow: ShadowCallLine,
  tally: Tally,
  ignored: ReadonlySet<string>,
): void {
  const phase: RecordedPhase = { lines: [line], call };
  const exchange = { key: line, requestId: call.request_id, time: call.time, [call.phase]: phase };
  const question = toQuestion(call.phase, exchange, new Map());
  if (typeof question === 'string') {
    tally.skip(question);
    return;
  }
  // The shadow policy was shown the message itself, not what the recording left of it.
  const whole: Question = { ...question, incomplete: [] };
  if (typeof shadow.answer !== 'object' || shadow.answer === null) {
    tally.fail(whole, String(shadow.answer).replace(/^no decision: /, ''));
    return;
  }
  let recording: Recording;
  try {
    recording = toRecording({ ...call, answer: shadow.answer });
  } catch {
    tally.skip('not readable');
    return;
  }
  const now: Decision = { phase: call.phase, explanation: explain(recording) };
  tally.add(whole, now, differencesOf(question.decision, now, ignored));
}

function keyOf({ phase, request_id: id }: SidebandLine | ShadowCallLine): string {
  return `${phase} ${id}`;
}

function remember(open: Map<string, LiveCall>, key: string, live: LiveCall): void {
  open.delete(key);
  open.set(key, live);
  if (open.size <= MAX_OPEN) return;
  const [oldest] = open.keys();
  if (oldest !== undefined) open.delete(oldest);
}
