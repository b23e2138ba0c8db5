import { ERRORS } from '../errors/catalogue.js';
import type { Outcome } from '../telemetry/decision-log.js';
import { explain } from './explanation.js';
import { isErrorCode, type SidebandLine } from './log-record.js';
import { toRecording } from './recording.js';

/** What became of a phase, as far as its messages tell: a recording has no decision lines. */
export interface DerivedDecision {
  readonly outcome: Outcome;
  readonly status?: number;
  readonly code?: string;
  readonly changed?: readonly string[];
}

/** From the answer of the policy, with the plugin's own rules; undefined when the messages cannot be read. */
export function derivedDecision(call: SidebandLine): DerivedDecision | undefined {
  const failure = failureOf(call.answer);
  if (failure !== undefined)
    return {
      outcome: 'refuse',
      code: failure,
      ...(isErrorCode(failure) && { status: ERRORS[failure].status }),
    };
  try {
    const { decision, changed, statusAfter } = explain(toRecording(call));
    const status = statusAfter === undefined ? {} : { status: statusAfter };
    if (typeof decision === 'object')
      return { outcome: 'refuse', code: decision.refused, status: ERRORS[decision.refused].status };
    if (decision === 'denied') return { outcome: 'deny', ...status };
    const unchanged = call.phase === 'access' ? 'permit' : 'pass';
    return changed.length === 0
      ? { outcome: unchanged, ...status }
      : { outcome: 'change', changed, ...status };
  } catch {
    return undefined;
  }
}

/** What the plugin writes in the place of an answer when the call failed: `no decision: provider_timeout`. */
export function failureOf(answer: unknown): string | undefined {
  return typeof answer === 'string' ? /^no decision: (\w{1,60})/.exec(answer)?.[1] : undefined;
}

/** A response that the policy turns into an error is a denial: the client gets nothing of what the upstream sent. */
export function isDenial(
  phase: SidebandLine['phase'],
  changed: readonly string[],
  status: number | undefined,
): boolean {
  return phase === 'response' && changed.includes('status') && status !== undefined && status >= 400;
}
