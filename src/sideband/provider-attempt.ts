import type { IncomingHttpHeaders } from 'node:http';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type ExchangeOutcome, type ExchangeRequest, exchange } from './http-exchange.js';
import { networkProblem } from './network-error.js';
import type { Interruption, Patience } from './patience.js';
import type { ProviderConnections } from './provider-connections.js';

/** What one provider made of one call. */
export type AttemptResult =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly body: Buffer | undefined;
    }
  | {
      readonly kind: 'failed';
      readonly error: PingAuthError;
      /** Nothing of an answer came, so another provider may be asked. */
      readonly elsewhere: boolean;
      /** The provider is to blame, not the client, the queue or our own trust settings: counts for the circuit. */
      readonly providerFailed: boolean;
      /** It could not be reached or never answered: others come first for a while. */
      readonly avoid: boolean;
    };

/**
 * Above this size a connection lost in the middle is taken for the provider's way to refuse a large message. Servers
 * close over their limit, and then their 413 is often lost. As a failure of the provider it could make the plugin fail
 * open, and a client could bring that about with a large body.
 */
const LARGE_MESSAGE_BYTES = 65_536;

/** Asks one provider: waits for a connection, sends, reads the answer; once more if a kept connection had grown stale. */
export async function attempt(
  connections: ProviderConnections,
  request: ExchangeRequest,
  maxBodyBytes: number,
  patience: Patience,
  onStale: () => void,
): Promise<AttemptResult> {
  const arrived = performance.now();
  const taken = await connections.slots.take(patience);
  if (taken === 'full')
    return notSent(new PingAuthError('provider_queue_full', { detail: 'the queue is full' }));
  if (taken === 'client_gone') return notSent(new PingAuthError('client_gone'));
  if (taken === 'deadline') return waitedTooLong();
  const started = performance.now();
  // Clients that fill the queue leave the calls in it little time: then it is not the provider that was too slow.
  const hadItsTime = () => performance.now() - started >= started - arrived;
  const judge = (outcome: ExchangeOutcome) => judged(outcome, request, patience.ended, hadItsTime());
  try {
    const pool = connections.pool;
    const first = await exchange(pool, request, maxBodyBytes, patience);
    if (!isStale(first) || patience.ended !== undefined) return judge(first);
    onStale();
    // All connections of that age may be dead; the second try must not get another of them.
    connections.renew(pool);
    return judge(await exchange(connections.pool, request, maxBodyBytes, patience));
  } finally {
    connections.slots.release();
  }
}

/** A kept connection that the provider closed just when we wrote to it: nothing came, and nothing was wrong with the call. */
function isStale(outcome: ExchangeOutcome): boolean {
  return outcome.kind === 'failed' && outcome.sent && outcome.reused && !outcome.bytesArrived;
}

function judged(
  outcome: ExchangeOutcome,
  request: ExchangeRequest,
  ended: Interruption | undefined,
  hadItsTime: boolean,
): AttemptResult {
  switch (outcome.kind) {
    case 'answered':
      return outcome;
    case 'too_large':
      return notSent(new PingAuthError('provider_answer_too_large'));
    case 'interrupted': {
      if (ended === 'client_gone') return notSent(new PingAuthError('client_gone'));
      if (!hadItsTime) return waitedTooLong();
      const error = new PingAuthError('provider_timeout', {
        detail: outcome.bytesArrived ? 'the answer did not end in time' : 'no answer came in time',
      });
      return { kind: 'failed', error, elsewhere: false, providerFailed: true, avoid: !outcome.bytesArrived };
    }
    case 'failed':
      return failed(outcome, request);
  }
}

function failed(outcome: ExchangeOutcome & { kind: 'failed' }, request: ExchangeRequest): AttemptResult {
  const problem = networkProblem(outcome.error, outcome);
  const cut =
    problem.code === 'provider_unreachable' && outcome.sent && request.body.length > LARGE_MESSAGE_BYTES;
  const code = cut ? 'provider_upload_cut' : problem.code;
  return {
    kind: 'failed',
    error: new PingAuthError(code, { detail: problem.detail, cause: outcome.error }),
    elsewhere: !outcome.bytesArrived,
    // Not a certificate: an open circuit can fail open, and a wrong certificate never may.
    providerFailed: code === 'provider_unreachable' || code === 'provider_timeout',
    avoid: !outcome.bytesArrived && !cut,
  };
}

/** Not provider_timeout: clients fill the queue, and a client must never be able to cause a fail-open. */
function waitedTooLong(): AttemptResult {
  const detail =
    'the deadline passed while waiting for a connection; raise connections if the provider can take it';
  return notSent(new PingAuthError('provider_queue_full', { detail }));
}

function notSent(error: PingAuthError): AttemptResult {
  return { kind: 'failed', error, elsewhere: false, providerFailed: false, avoid: false };
}
