import { type Decision, decisionInWords, differencesOf } from './comparison.js';
import type { RecordedPhase } from './exchanges.js';
import { explain } from './explanation.js';
import { compareMessages, type MessageDifference } from './message-difference.js';
import { toRecording } from './recording.js';

/** How the decision of a shadow policy compares with the live one, as far as a log tells. */
export interface ShadowComparison {
  readonly result: 'same' | 'different' | 'error' | 'dropped';
  readonly live?: string;
  readonly shadow?: string;
  readonly differences: readonly string[];
  /** What would be sent on: live and shadow. Only with the messages of both. */
  readonly sides?: MessageDifference;
}

const NOTHING_IGNORED: ReadonlySet<string> = new Set();

/** undefined: no shadow policy was asked. Never throws. */
export function shadowComparison(phase: RecordedPhase, withSides: boolean): ShadowComparison | undefined {
  const { shadow } = phase;
  if (shadow === undefined) return undefined;
  const { line } = shadow;
  const messages = line === undefined || withSides ? comparedMessages(phase, withSides) : undefined;
  if (line === undefined) return messages;
  return {
    result: line.result,
    ...(line.live !== undefined && { live: line.live }),
    ...(line.shadow !== undefined && { shadow: line.shadow }),
    differences: line.differences ?? (line.code === undefined ? [] : [line.code]),
    ...(messages?.sides && { sides: messages.sides }),
  };
}

function comparedMessages({ call, shadow }: RecordedPhase, withSides: boolean): ShadowComparison | undefined {
  const answer = shadow?.call?.answer;
  if (typeof answer === 'string')
    return { result: 'error', differences: [answer.replace(/^no decision: /, '')] };
  if (call === undefined || typeof answer !== 'object' || answer === null) return undefined;
  try {
    const [live, now] = [call, { ...call, answer }].map(
      (one): Decision => ({ phase: call.phase, explanation: explain(toRecording(one)) }),
    ) as [Decision, Decision];
    const differences = differencesOf(live, now, NOTHING_IGNORED);
    return {
      result: differences.length === 0 ? 'same' : 'different',
      ...{ live: decisionInWords(live), shadow: decisionInWords(now), differences },
      ...(withSides && {
        sides: compareMessages(live.explanation.diff?.after.message, now.explanation.diff?.after.message),
      }),
    };
  } catch {
    return undefined;
  }
}
