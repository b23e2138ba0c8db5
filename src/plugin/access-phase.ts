import type { RequestChanges, RequestDecision } from '../directives/decision.js';
import { describeChanges } from '../directives/describe-changes.js';
import { decideRequest } from '../directives/request-decision.js';
import { failOpenChanges, NO_REQUEST_CHANGES } from '../directives/standing-changes.js';
import { asPingAuthError, type PingAuthError } from '../errors/ping-auth-error.js';
import { admitRequest } from '../exchange/admission.js';
import type { ResponseToSend } from '../exchange/http-message.js';
import { type AccessOutcome, type Correlation, createMemo, UNASKED, writeMemo } from '../exchange/memo.js';
import { type ShownRequest, showRequest } from '../exchange/request-payload.js';
import type { Gateway, RequestReading } from '../gateway/gateway.js';
import type { Outcome } from '../telemetry/decision-log.js';
import { askAboutRequest } from './ask.js';
import { correlationOf } from './correlation.js';
import type { PhaseEvent } from './host.js';
import { type Instance, ready, type Setup } from './instance.js';
import { PhaseRecord } from './phase-record.js';
import { readLimits } from './read-limits.js';
import { refusal } from './refusal.js';
import { restartForFreshSecret } from './secret-rotation.js';

/** How the access phase ends. `outcome` is the word for it in the log. */
type Verdict =
  | {
      readonly kind: 'permit';
      readonly outcome: Outcome;
      readonly changes: RequestChanges;
      readonly memo: string;
    }
  | { readonly kind: 'refuse'; readonly outcome: Outcome; readonly response: ResponseToSend };

/** What is known of the request so far; an error finds it as far as it got. */
interface Progress {
  setup?: Setup;
  reading?: RequestReading;
  shown?: ShownRequest;
}

/** Comes back only when the request may go on; an answer to the client ends the request in Kong. */
export async function accessPhase(instance: Instance, gateway: Gateway, event: PhaseEvent): Promise<void> {
  const record = new PhaseRecord(instance, 'access');
  const progress: Progress = {};
  let verdict: Verdict;
  try {
    verdict = await judge(instance, gateway, event, record, progress);
  } catch (thrown) {
    verdict = judgeError(instance, asPingAuthError(thrown), event, record, progress);
  }
  await carryOut(verdict, gateway, record, progress);
}

async function judge(
  instance: Instance,
  gateway: Gateway,
  event: PhaseEvent,
  record: PhaseRecord,
  progress: Progress,
): Promise<Verdict> {
  const setup = ready(instance);
  progress.setup = setup;
  const { config } = setup;

  const reading = await gateway.readRequest(readLimits(config, instance.host));
  progress.reading = reading;
  record.note({ requestId: reading.requestId });
  admitRequest(reading.request, config);

  const shown = showRequest(reading.request, config, reading.unreadBody);
  progress.shown = shown;

  const correlation = correlationOf(reading);
  const answer = await askAboutRequest(shown.payload, { instance, setup, correlation, event, record });

  const decision = decideRequest(answer, reading.request, shown);
  record.note({ notes: decision.notes });
  return verdictOf(decision, shown, correlation, config.mode === 'monitor', record);
}

function verdictOf(
  decision: RequestDecision,
  shown: ShownRequest,
  correlation: Correlation,
  monitor: boolean,
  record: PhaseRecord,
): Verdict {
  const memo = (outcome: AccessOutcome) =>
    writeMemo(
      createMemo(
        outcome,
        shown.payload,
        decision.kind === 'permit' ? decision.state : undefined,
        correlation,
      ),
    );
  if (decision.kind === 'deny') {
    record.note({ status: decision.response.status });
    return monitor
      ? { kind: 'permit', outcome: 'monitor_deny', changes: NO_REQUEST_CHANGES, memo: UNASKED }
      : { kind: 'refuse', outcome: 'deny', response: decision.response };
  }
  const changed = describeChanges(decision.changes);
  record.note({ changed });
  const outcome = changed.length > 0 ? 'change' : 'permit';
  return monitor
    ? { kind: 'permit', outcome: `monitor_${outcome}`, changes: NO_REQUEST_CHANGES, memo: memo('monitor') }
    : { kind: 'permit', outcome, changes: decision.changes, memo: memo('permit') };
}

/** @throws RestartInstance · the error itself when Kong has given the event up and nobody is left to be answered */
function judgeError(
  instance: Instance,
  error: PingAuthError,
  event: PhaseEvent,
  record: PhaseRecord,
  { setup, reading, shown }: Progress,
): Verdict {
  record.noteError(error);
  if (event.signal?.aborted) {
    record.close('refuse');
    throw error;
  }
  restartForFreshSecret(instance, error, event);
  if (setup?.config.mode === 'monitor') {
    return { kind: 'permit', outcome: 'monitor_refuse', changes: NO_REQUEST_CHANGES, memo: UNASKED };
  }
  if (setup?.config.fail_open_request && error.entry.failOpen && reading && shown) {
    const memo = writeMemo(createMemo('fail_open', shown.payload, undefined, correlationOf(reading)));
    return { kind: 'permit', outcome: 'fail_open', changes: failOpenChanges(reading.request.headers), memo };
  }
  const response = refusal(error, setup?.config.error_status, reading?.requestId);
  record.note({ status: response.status });
  return { kind: 'refuse', outcome: 'refuse', response };
}

async function carryOut(
  verdict: Verdict,
  gateway: Gateway,
  record: PhaseRecord,
  progress: Progress,
): Promise<void> {
  try {
    const log = record.logValues(verdict.outcome);
    if (verdict.kind === 'permit') await gateway.permit(verdict.changes, verdict.memo, log);
    else await gateway.refuse(verdict.response, log);
    record.close(verdict.outcome);
  } catch (thrown) {
    // Half applied is not permitted. If this refusal fails too, the host ends the event with an error.
    const error = asPingAuthError(thrown);
    record.noteError(error);
    record.close('refuse');
    await gateway.refuse(refusal(error, undefined, progress.reading?.requestId));
  }
}
