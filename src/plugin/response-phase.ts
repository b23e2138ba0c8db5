import type { ResponseChanges } from '../directives/decision.js';
import { describeChanges } from '../directives/describe-changes.js';
import { decideResponse } from '../directives/response-decision.js';
import { NO_RESPONSE_CHANGES } from '../directives/standing-changes.js';
import { asPingAuthError, type PingAuthError } from '../errors/ping-auth-error.js';
import { admitResponse } from '../exchange/admission.js';
import type { HttpResponse, ResponseToSend } from '../exchange/http-message.js';
import { type Correlation, readMemo, UNASKED } from '../exchange/memo.js';
import { showResponse } from '../exchange/response-payload.js';
import type { Gateway } from '../gateway/gateway.js';
import type { Outcome } from '../telemetry/decision-log.js';
import { askAboutResponse } from './ask.js';
import type { PhaseEvent } from './host.js';
import { type Instance, ready, type Setup } from './instance.js';
import { PhaseRecord } from './phase-record.js';
import { refusal } from './refusal.js';
import { restartForFreshSecret } from './secret-rotation.js';

type Verdict =
  | {
      readonly kind: 'pass';
      readonly outcome: Outcome;
      readonly original: HttpResponse;
      readonly changes: ResponseChanges;
    }
  | { readonly kind: 'withhold'; readonly outcome: Outcome; readonly response: ResponseToSend };

interface Progress {
  setup?: Setup;
  response?: HttpResponse;
  correlation?: Correlation;
}

/** Comes back only when the upstream's response may go out, filtered as the policy wants it. */
export async function responsePhase(instance: Instance, gateway: Gateway, event: PhaseEvent): Promise<void> {
  const record = new PhaseRecord(instance, 'response');
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

  const { response, memo: text } = await gateway.readResponse();
  progress.response = response;
  if (config.mode === 'monitor' && text === UNASKED) {
    return { kind: 'pass', outcome: 'monitor_pass', original: response, changes: NO_RESPONSE_CHANGES };
  }
  const memo = readMemo(text);
  progress.correlation = memo.correlation;
  record.note({ requestId: memo.correlation.requestId, status: response.status });
  admitResponse(response);

  const shown = showResponse(response, memo, config);

  const answer = await askAboutResponse(shown.payload, {
    instance,
    setup,
    correlation: memo.correlation,
    event,
    record,
  });

  const { changes, notes } = decideResponse(answer, response, shown);
  const changed = describeChanges(changes);
  record.note({ notes, changed, status: changes.status ?? response.status });
  const outcome = changed.length > 0 ? 'change' : 'pass';
  return config.mode === 'monitor'
    ? { kind: 'pass', outcome: `monitor_${outcome}`, original: response, changes: NO_RESPONSE_CHANGES }
    : { kind: 'pass', outcome, original: response, changes };
}

/** @throws RestartInstance · the error itself when Kong has given the event up */
function judgeError(
  instance: Instance,
  error: PingAuthError,
  event: PhaseEvent,
  record: PhaseRecord,
  { setup, response, correlation }: Progress,
): Verdict {
  record.noteError(error);
  if (event.signal?.aborted) {
    record.close('refuse');
    throw error;
  }
  restartForFreshSecret(instance, error, event);
  if (response && setup?.config.mode === 'monitor') {
    return { kind: 'pass', outcome: 'monitor_refuse', original: response, changes: NO_RESPONSE_CHANGES };
  }
  if (response && setup?.config.fail_open_response && error.entry.failOpen) {
    return { kind: 'pass', outcome: 'fail_open', original: response, changes: NO_RESPONSE_CHANGES };
  }
  const refused = refusal(error, setup?.config.error_status, correlation?.requestId);
  record.note({ status: refused.status });
  return { kind: 'withhold', outcome: 'refuse', response: refused };
}

async function carryOut(
  verdict: Verdict,
  gateway: Gateway,
  record: PhaseRecord,
  progress: Progress,
): Promise<void> {
  try {
    const log = record.logValues(verdict.outcome);
    if (verdict.kind === 'pass') await gateway.filter(verdict.original, verdict.changes, log);
    else await gateway.withhold(verdict.response, log);
    record.close(verdict.outcome);
  } catch (thrown) {
    // Half filtered is not filtered. If this refusal fails too, the host ends the event with an error.
    const error = asPingAuthError(thrown);
    record.noteError(error);
    record.close('refuse');
    await gateway.withhold(refusal(error, undefined, progress.correlation?.requestId));
  }
}
