import { setTimeout } from 'node:timers/promises';
import { type Decision, differencesOf } from '../../recordings/comparison.js';
import type { Exchange } from '../../recordings/exchanges.js';
import type { AnswerAgain, Policy } from '../policy/ask-policy.js';
import { decisionOf, type Fillings, type Question, toQuestion } from './question.js';
import type { Tally } from './tally.js';

export interface ReplaySetup {
  readonly policy: Policy;
  readonly pacer: Pacer;
  readonly tally: Tally;
  readonly fillings: Fillings;
  /** Headers that do not count in a comparison, in lower case. */
  readonly ignored: ReadonlySet<string>;
  readonly secretHeader: string;
  /** @throws Error when the recording's own provider would be asked */
  readonly admit: (provider: string | undefined) => void;
  /** Once for each question, answered or not. */
  readonly onAsked: () => void;
  /** Once for each question that was answered, with its decision now. */
  readonly onAnswer: (question: Question, now: Decision, differences: readonly string[]) => void;
}

/** Exchanges under way at the same time; the pacer says how many begin. */
const JOBS = 10;
/** With so many failures one after the other the provider is down, and the rest would fail as well. */
const MAX_FAILURES_IN_A_ROW = 20;

/**
 * Asks about all exchanges.
 * @returns why it stopped early, or undefined
 * @throws what `admit` throws, what reading throws
 */
export async function replay(
  exchanges: AsyncGenerator<Exchange>,
  setup: ReplaySetup,
): Promise<string | undefined> {
  let failuresInARow = 0;
  let stopped: string | undefined;
  const noteAnswer = (answer: AnswerAgain) => {
    failuresInARow = answer.kind === 'refuse' ? failuresInARow + 1 : 0;
    if (failuresInARow >= MAX_FAILURES_IN_A_ROW && answer.kind === 'refuse')
      stopped ??= `${MAX_FAILURES_IN_A_ROW} calls in a row failed, the last one with ${answer.code}: ${answer.message}`;
  };
  const work = async () => {
    for (;;) {
      if (stopped !== undefined) return;
      const next = await exchanges.next();
      if (next.done) return;
      await replayExchange(next.value, setup, noteAnswer);
    }
  };
  try {
    await Promise.all(Array.from({ length: JOBS }, work));
  } finally {
    await exchanges.return(undefined);
  }
  return stopped;
}

/** First about the request, then about the response, as the plugin would. */
async function replayExchange(
  exchange: Exchange,
  setup: ReplaySetup,
  noteAnswer: (answer: AnswerAgain) => void,
): Promise<void> {
  const { tally } = setup;
  const requestId = exchange.requestId ?? `ping-auth-replay-${exchange.key}`;
  const ask = async (question: Question, payload: Question['payload']): Promise<AnswerAgain> => {
    setup.admit(question.provider);
    await setup.pacer.turn();
    const answer = await setup.policy.askAgain(question.phase, payload, requestId);
    noteAnswer(answer);
    setup.onAsked();
    if (answer.kind === 'refuse') {
      tally.fail(question, answer.code);
      return answer;
    }
    const now = decisionOf(question, answer.answer, setup.secretHeader);
    const differences = differencesOf(question.decision, now, setup.ignored);
    tally.add(question, now, differences);
    setup.onAnswer(question, now, differences);
    return answer;
  };

  let first: { readonly question: Question; readonly answer: AnswerAgain } | undefined;
  if (exchange.access) {
    const question = toQuestion('access', exchange, setup.fillings);
    if (typeof question === 'string') tally.skip(question);
    else first = { question, answer: await ask(question, question.payload) };
  }
  if (!exchange.response) return;
  const question = toQuestion('response', exchange, setup.fillings);
  if (typeof question === 'string') return tally.skip(question);
  if (first === undefined) {
    // The recorded state belongs to the other provider, and is redacted.
    if (question.request === undefined) return tally.skip('no request');
    await ask(question, { ...question.payload, request: withoutRedacted(question.request) });
    return;
  }
  const { answer } = first;
  if (answer.kind === 'refuse' || 'response' in answer.answer) return tally.skip('not reached');
  const link = answer.state === undefined ? { request: first.question.payload } : { state: answer.state };
  // What the request lacks, the policy lacks here, too.
  const incomplete = [...new Set([...question.incomplete, ...first.question.incomplete])];
  await ask({ ...question, incomplete }, { ...question.payload, ...link });
}

function withoutRedacted({ client_certificate: _, ...request }: Question['payload']): Question['payload'] {
  return request;
}

export interface Clock {
  /** Milliseconds. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

const REAL: Clock = { now: () => performance.now(), sleep: (ms) => setTimeout(ms) };

/** Lets so many through in a second, evenly: the policy provider may have others to answer. */
export class Pacer {
  readonly #gapMs: number;
  readonly #clock: Clock;
  #next = 0;

  constructor(perSecond: number, clock: Clock = REAL) {
    this.#gapMs = 1000 / perSecond;
    this.#clock = clock;
  }

  async turn(): Promise<void> {
    const now = this.#clock.now();
    const at = Math.max(now, this.#next);
    this.#next = at + this.#gapMs;
    if (at > now) await this.#clock.sleep(at - now);
  }
}
