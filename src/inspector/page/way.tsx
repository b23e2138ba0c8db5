import type { ExchangeDetail, PhaseDetail } from '../wire.js';
import { Badge } from './badge.js';
import { phaseDecision } from './decision.js';
import { milliseconds } from './time.js';

/** The five stations of a request, and how far it came. */
export function Way({ detail }: { detail: ExchangeDetail }) {
  const { access, response } = detail;
  const first = phaseDecision(access);
  const isStopped = access?.outcome === 'deny' || access?.outcome === 'refuse';
  const upstreamStatus = statusOf(response?.messages?.shown?.start);
  const end = response?.status ?? (isStopped ? access?.status : undefined) ?? statusOf(last(response));
  return (
    <ol class="way" aria-label="Request lifecycle">
      <Station name="Client" text={detail.clientIp ?? 'sends'} state="reached" />
      <Hop text={access?.messages?.shown ? 'as sent' : ''} isReached />
      <PolicyStation phase={access} target="request" />
      <Hop text={isStopped ? 'stopped' : changes(access)} isReached={!isStopped && first !== undefined} />
      <Station
        name="Upstream"
        text={isStopped ? 'not reached' : (upstreamStatus ?? (response ? 'answered' : 'no answer seen'))}
        state={isStopped ? 'missed' : response ? 'reached' : 'open'}
      />
      <Hop text={response?.messages?.shown ? 'as answered' : ''} isReached={response !== undefined} />
      <PolicyStation phase={response} target="response" isMissed={isStopped} />
      <Hop
        text={
          isStopped
            ? `answered by ${access?.outcome === 'deny' ? 'the policy' : 'ping-auth'}`
            : changes(response)
        }
        isReached={end !== undefined}
      />
      <Station
        name="Client"
        text={end === undefined ? (response?.outcome === undefined ? 'not seen' : 'got it') : `gets ${end}`}
        state={end === undefined && response?.outcome === undefined ? 'open' : 'reached'}
      />
    </ol>
  );
}

interface PolicyProps {
  phase: PhaseDetail | undefined;
  target: string;
  isMissed?: boolean;
}

function PolicyStation({ phase, target, isMissed = false }: PolicyProps) {
  const decision = phaseDecision(phase);
  const state = isMissed ? 'missed' : decision === undefined ? 'open' : `reached ${decision.kind}`;
  const go = () => document.getElementById(`phase-${target}`)?.scrollIntoView({ block: 'start' });
  return (
    <li class={`station policy ${state}`}>
      <span class="mark" aria-hidden="true" />
      <b>Policy</b>
      {decision ? <Badge {...decision} /> : <small>{isMissed ? 'not asked' : 'no line so far'}</small>}
      {phase?.providerMs !== undefined && <small>{milliseconds(phase.providerMs)}</small>}
      {phase && (
        <button type="button" class="link" onClick={go}>
          {target}
        </button>
      )}
    </li>
  );
}

function Station({ name, text, state }: { name: string; text: string; state: string }) {
  return (
    <li class={`station ${state}`}>
      <span class="mark" aria-hidden="true" />
      <b>{name}</b>
      <small>{text}</small>
    </li>
  );
}

function Hop({ text, isReached }: { text: string; isReached: boolean }) {
  return (
    <li class={isReached ? 'hop' : 'hop missed'}>
      <small>{text}</small>
    </li>
  );
}

function changes(phase: PhaseDetail | undefined): string {
  if (phase?.outcome === undefined) return '';
  const count = phase.changed?.length ?? 0;
  return count === 0 ? 'unchanged' : `${count} change${count === 1 ? '' : 's'}`;
}

/** The start line of what the client got. */
function last(phase: PhaseDetail | undefined): string | undefined {
  return phase?.messages?.difference?.start.after ?? phase?.messages?.difference?.start.before;
}

/** Of `200 OK`. */
function statusOf(start: string | undefined): string | undefined {
  return /^\d{3}/.exec(start ?? '')?.[0];
}
