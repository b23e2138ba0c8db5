import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { isDenied, isRewritten, type Stamps } from './evidence.js';

/** What became of one request, as its client saw it. */
export type RequestOutcome =
  /** Filtered or denied by the policy, as it should be. */
  | 'good'
  /** Refused by ping-auth, by its plugin server or by Kong. */
  | 'refused'
  /** No answer, or half of one. */
  | 'broken'
  /** The client hung up. */
  | 'aborted'
  /** The upstream's answer, without the policy's stamp. */
  | 'passed'
  /** An answer that was meant for another request. */
  | 'mixed';

export interface Answer {
  readonly id: string;
  readonly outcome: RequestOutcome;
  /** Status, or the error's code. */
  readonly status: string;
  /** An upstream header on an answer that the policy did not let out. */
  readonly leak: 'none' | 'ping-auth' | 'kong';
  /** Milliseconds of performance.now(). */
  readonly begun: number;
  /** How long the client waited. */
  readonly ms: number;
  /** One of a flood, not one of the clients that want to be served. */
  readonly isHostile: boolean;
}

export interface LoadOptions {
  readonly url: string;
  readonly stamps: Stamps;
  readonly prefix: string;
  readonly concurrency: number;
  /** Share of the requests whose client hangs up early, 0 to 1. */
  readonly abortShare: number;
  /** Every so many requests have a body that Kong puts on disk. */
  readonly bigBodyEvery: number;
}

type Headers = Readonly<Record<string, string>>;

const BIG_BODY = Buffer.alloc(20_000, 'b');
const SMALL_BODY = Buffer.from('{"small":true}');
/** A lane that got an error waits so long, or clients would take the processor from the server that is to recover. */
const ERROR_PAUSE_MS = 100;

/** The clients of a burst share their processors with Kong. */
const BURST_TIMEOUT_MS = 60_000;

/** Requests without end, a fixed number at a time, each with an id of its own. */
export class Load {
  readonly answers: Answer[] = [];
  #sent = 0;
  #running = true;
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  readonly #lanes: Promise<unknown>;
  abortShare: number;
  bigBodyEvery: number;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.abortShare = options.abortShare;
    this.bigBodyEvery = options.bigBodyEvery;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.concurrency });
    this.#lanes = Promise.all(Array.from({ length: options.concurrency }, () => this.#lane()));
  }

  get sent(): number {
    return this.#sent;
  }

  /** Ends when all answers are there. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#lanes;
    this.#agent.destroy();
  }

  /** Sends one more, at once. */
  async one(bodyBytes: number): Promise<void> {
    this.answers.push(await this.#send(Buffer.alloc(bodyBytes, 'h')));
  }

  /** So many clients send this body again and again for a while. */
  async flood(clients: number, body: Buffer, headers: Headers, lastsMs: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: clients });
    const end = performance.now() + lastsMs;
    const client = async () => {
      while (performance.now() < end) {
        this.answers.push(await this.#send(body, agent, BURST_TIMEOUT_MS, { ...headers, 'x-hostile': '1' }));
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    agent.destroy();
  }

  /** Sends so many at the same moment, each over a connection of its own; ends when all have their answer. */
  async burst(clients: number): Promise<void> {
    const agent = new Agent({ keepAlive: false });
    const all = Array.from({ length: clients }, () => this.#send(undefined, agent, BURST_TIMEOUT_MS));
    this.answers.push(...(await Promise.all(all)));
  }

  async #lane(): Promise<void> {
    while (this.#running) {
      const number = this.#sent;
      const body = number % this.bigBodyEvery === 0 ? BIG_BODY : number % 5 === 0 ? SMALL_BODY : undefined;
      const answer = await this.#send(body);
      this.answers.push(answer);
      if (answer.outcome !== 'good') await pause(ERROR_PAUSE_MS);
    }
  }

  #send(
    body: Buffer | undefined,
    agent = this.#agent,
    timeoutMs = 20_000,
    headers: Headers = { 'content-type': 'text/plain' },
  ): Promise<Answer> {
    const id = `${this.#options.prefix}-${this.#sent++}`;
    const begun = performance.now();
    const aborts = Math.random() < this.abortShare;
    return new Promise((resolve) => {
      const done = (outcome: RequestOutcome, status: string, leak: Answer['leak'] = 'none') => {
        clearTimeout(timer);
        const ms = performance.now() - begun;
        resolve({ id, outcome, status, leak, begun, ms, isHostile: 'x-hostile' in headers });
      };
      const request = httpRequest(this.#options.url, {
        agent,
        method: body === undefined ? 'GET' : 'POST',
        path: `/r/${id}`,
        headers: body === undefined ? {} : { ...headers, 'content-length': body.length },
      });
      const timer = setTimeout(
        () => {
          request.destroy();
          done(aborts ? 'aborted' : 'broken', aborts ? 'aborted' : 'no answer');
        },
        aborts ? Math.random() * 150 : timeoutMs,
      );
      request.on('error', (error: NodeJS.ErrnoException) =>
        done(aborts ? 'aborted' : 'broken', error.code ?? 'error'),
      );
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => done('broken', 'cut'));
        response.on('end', () => {
          const { statusCode = 0, headers } = response;
          const body = Buffer.concat(chunks).toString();
          const { outcome, leak } = judge(id, statusCode, headers, body, this.#options.stamps);
          done(outcome, isKongText(body) ? `${statusCode} in Kong's words` : String(statusCode), leak);
        });
      });
      request.end(body);
    });
  }
}

/** Kong's page in place of an upstream response that was cut off. */
function isKongText(body: string): boolean {
  return /^The upstream server responded with \d+\s+request_id: \w+\s*$/.test(body);
}

/** Whether an answer is one that the policy let out, and meant for this request. */
export function judge(
  id: string,
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
  stamps: Stamps,
): Pick<Answer, 'outcome' | 'leak'> {
  const { 'x-stamp': stamp, 'x-denied': denied, 'x-internal': internal, 'set-cookie': cookie } = headers;
  const bare = internal === undefined && cookie === undefined;
  if (status === 403 && denied !== undefined) {
    return { outcome: denied === stamps.denial(id) && isDenied(id) && bare ? 'good' : 'mixed', leak: 'none' };
  }
  const wanted = isRewritten(id) ? `filtered ${id}` : `secret of ${id}`;
  if (status === 200 && stamp === stamps.answer(id) && bare) {
    return { outcome: body === wanted ? 'good' : 'mixed', leak: 'none' };
  }
  // Recorded: an upstream body that is cut off becomes this page, with status 200 and without a byte of the upstream's. Kong
  // asks no plugin about it.
  if (stamp === undefined && bare && isKongText(body)) return { outcome: 'refused', leak: 'none' };
  // A stamp on anything else, an upstream body, or any success: somebody let this out who should not have.
  if (stamp !== undefined || body.includes('secret of') || body.includes('filtered') || status < 400) {
    const foreign = /(?:secret of|filtered) ([\w-]+)/.exec(body)?.[1];
    return { outcome: foreign !== undefined && foreign !== id ? 'mixed' : 'passed', leak: 'none' };
  }
  if (bare) return { outcome: 'refused', leak: 'none' };
  // Kong's own error page, when the plugin server is gone, names the request and no code.
  return { outcome: 'refused', leak: body.includes('"code"') ? 'ping-auth' : 'kong' };
}
