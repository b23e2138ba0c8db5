import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { CallDeadline } from './call-deadline.js';
import { type NetworkProblem, networkProblem } from './network-error.js';
import { type Payload, payloadBytes } from './payloads.js';

/** Above this size the provider's own limit is a likely reason for a lost connection. For the log only. */
const LARGE_MESSAGE_BYTES = 65_536;

/** No provider and no proxy closes a connection for want of a request sooner than this. */
const NO_TIMEOUT_BELOW_MS = 500;

const LOST_CODES: ReadonlySet<ErrorCode> = new Set(['provider_unreachable', 'provider_connection_lost']);

/** Why a provider gave no answer. If `error.failOpenScope` is set, the provider failed, and its circuit breaker counts it. */
export interface ProviderFailure {
  readonly kind: 'failed';
  readonly error: PingAuthError;
  /** No byte of an answer arrived, so another provider may be called. */
  readonly failover: boolean;
  /** The provider gave no answer: it is ejected for a while. */
  readonly ejects: boolean;
}

/** What is known of the call. */
interface FailedRequest {
  readonly body: Payload;
  readonly deadline: CallDeadline;
}

/** What came of one HTTP exchange that brought no answer. */
export type BrokenExchange =
  | { readonly kind: 'refused'; readonly error: PingAuthError }
  | { readonly kind: 'interrupted'; readonly sent: boolean; readonly bytesArrived: boolean }
  | {
      readonly kind: 'broken';
      readonly error: unknown;
      /** Whether any byte of the call was written. */
      readonly sent: boolean;
      /** Whether any byte of an answer arrived: then no other provider may be called. */
      readonly bytesArrived: boolean;
      /** Whether its whole head did. */
      readonly headArrived: boolean;
      /** The provider closed a kept connection just when the call was written to it: the call itself is not the reason. */
      readonly isStale: boolean;
    };

/**
 * Whose fault it is that an exchange brought no answer: the provider's, a client's, or ours.
 * @param sentBefore it is the repetition of a call that was written to a stale connection
 */
export function failure(
  outcome: BrokenExchange,
  request: FailedRequest,
  sentBefore: boolean,
): ProviderFailure {
  if (outcome.kind === 'refused')
    return { kind: 'failed', error: outcome.error, failover: false, ejects: false };
  const { ended } = request.deadline;
  if (ended === 'client_gone') return failed('client_gone');
  const { bytesArrived } = outcome;
  const sent = sentBefore || outcome.sent;
  const failover = outcome.kind === 'broken' && !bytesArrived;
  const problem =
    outcome.kind === 'broken' ? networkProblem(outcome.error, outcome) : lateness(sent, bytesArrived);
  const { timed } = problem;
  const lostTo = timed === undefined ? undefined : request.deadline.lostTo;
  if (timed === 'out' && lostTo?.reason === 'queue') return waitedTooLong();
  if (lostTo?.reason === 'event loop' && (timed === 'out' || lostTo.milliseconds > NO_TIMEOUT_BELOW_MS)) {
    const busy = `the plugin server was too busy to finish the call in time: ${problem.detail}`;
    return { ...failed('server_overloaded', busy), failover };
  }
  const isLost = sent && LOST_CODES.has(problem.code);
  const code = isLost ? 'provider_connection_lost' : problem.code;
  const isLarge = isLost && payloadBytes(request.body) > LARGE_MESSAGE_BYTES;
  const error = new PingAuthError(code, {
    detail: isLarge
      ? `${problem.detail}; the message is large, perhaps over a limit of the provider`
      : problem.detail,
    ...(outcome.kind === 'broken' && { cause: outcome.error }),
    ...(timed === 'out' && { failOpenScope: sent ? 'unavailable' : 'unreachable' }),
  });
  const ours = code === 'server_overloaded' || code === 'internal_error';
  return { kind: 'failed', error, failover, ejects: !bytesArrived && !ours };
}

function lateness(sent: boolean, bytesArrived: boolean): NetworkProblem {
  const answer = bytesArrived ? 'the answer did not end in time' : 'no answer came in time';
  return {
    code: 'provider_timeout',
    detail: sent ? answer : 'no connection within the deadline',
    timed: 'out',
  };
}

/** Not provider_timeout: clients fill the queue, and a client must never be able to cause a fail-open. */
export function waitedTooLong(): ProviderFailure {
  const advice = 'raise connections if the provider can take it';
  return failed('provider_queue_full', `the call waited for a connection for too long; ${advice}`);
}

/** For a reason that is not the provider's. */
export function failed(
  code: 'client_gone' | 'provider_queue_full' | 'server_overloaded',
  detail?: string,
): ProviderFailure {
  const error = new PingAuthError(code, detail === undefined ? {} : { detail });
  return { kind: 'failed', error, failover: false, ejects: false };
}
