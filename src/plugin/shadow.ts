import type { PluginConfig } from '../config/schema.js';
import { decideRequest } from '../directives/request-decision.js';
import { decideResponse } from '../directives/response-decision.js';
import {
  refusedSentOn,
  requestSentOn,
  responseSentOn,
  type SentOn,
  sentOnDifferences,
} from '../directives/sent-on.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { asPingAuthError } from '../errors/ping-auth-error.js';
import { textShown } from '../http/body.js';
import type { BodyView, HttpResponse } from '../http/message.js';
import { bytesOfText } from '../http/text.js';
import type { Caller } from '../sideband/call-deadline.js';
import { bodyMemberInSteps, composeResponsePayload } from '../sideband/payloads.js';
import { callTimeoutMs } from '../sideband/provider.js';
import { retainedPayload } from '../sideband/request-context.js';
import { createSidebandClient, type Evaluation, type SidebandClient } from '../sideband/sideband-client.js';
import type { Phase, ShadowRecord } from '../telemetry/decision-log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { ShadowLimits, ShadowMemory } from './shadow-limits.js';
import { shownRequestOf } from './shadow-request.js';

const CONNECTIONS = 16;
const QUEUED_CALLS = 64;
/** A larger answer takes time from live traffic when it is parsed. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const CIRCUIT_FAILURES = 10;

/** The shadow had no room, not the wrong answer. */
const DROPPED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'provider_queue_full',
  'provider_circuit_open',
  'provider_answer_too_large',
  'server_overloaded',
  'client_gone',
]);

/** What is known of a request, for log lines and correlation. */
interface RequestFacts {
  readonly requestId?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
}

/** What the shadow policy is asked about one request, after the live decision has been carried out. */
export interface ShadowQuestion {
  readonly message: RequestFacts;
  /** Of the first call. Never holds a state. */
  readonly payload: string;
  /** What the live policy decided about the request. */
  readonly live: SentOn;
  /** undefined: there is no live decision about a response. */
  readonly response?: ShadowResponse | undefined;
}

export interface ShadowResponse {
  readonly live: SentOn;
  readonly shown: HttpResponse;
  readonly body: BodyView;
  readonly method: string;
  readonly target: string;
}

export interface ShadowHost {
  readonly telemetry: Pick<Telemetry, 'shadow' | 'record' | 'notice' | 'sidebandExchange'>;
  readonly routeId: string | undefined;
  readonly serviceId: string | undefined;
  readonly limits: ShadowLimits;
  /** 0 to 1; whom to ask about is not for clients to choose. */
  readonly random?: () => number;
}

/**
 * The shadow policy of one instance. It is never awaited by a phase, and nothing that it answers reaches a message: what comes of
 * it are a count, a log line and a recording. No method throws.
 */
export class Shadow {
  readonly #config: PluginConfig;
  readonly #host: ShadowHost;
  readonly #client: SidebandClient;
  readonly #ignored: ReadonlySet<string>;
  readonly #share: number;
  readonly #open = new Set<Cancellation>();
  #isClosed = false;

  private constructor(config: PluginConfig, host: ShadowHost) {
    this.#config = config;
    this.#host = host;
    this.#ignored = new Set(config.shadow_ignored_headers);
    this.#share = config.shadow_percent / 100;
    const observer: Parameters<typeof createSidebandClient>[1] = {
      circuitChanged: ({ provider, from, to, secondsLeft }) =>
        host.telemetry.notice('info', `circuit breaker of the shadow policy provider: ${from} → ${to}`, {
          ...{ provider, from, to, seconds_left: secondsLeft },
        }),
    };
    this.#client = createSidebandClient(config, observer, host.limits.sideband);
  }

  /** undefined: there is none. @param live the whole configuration of the instance */
  static of(live: PluginConfig, host: ShadowHost): Shadow | undefined {
    const config = shadowConfig(live);
    return config === undefined || live.shadow_percent === 0 ? undefined : new Shadow(config, host);
  }

  /** Once for each request. */
  samples(): boolean {
    return this.#share >= 1 || (this.#host.random ?? Math.random)() < this.#share;
  }

  /** Asks later, when the event is over. */
  ask(question: ShadowQuestion): void {
    const memory = this.#isClosed ? undefined : this.#host.limits.enter(bytesOf(question));
    if (memory === undefined) {
      this.drop('access', question.message, 'too many shadow questions are open');
      return;
    }
    const cancellation = new Cancellation();
    this.#open.add(cancellation);
    const work = async () => {
      try {
        await this.#ask(question, memory, cancellation);
      } catch (thrown) {
        this.#fail('access', question, thrown);
      } finally {
        this.#open.delete(cancellation);
        memory.release();
      }
    };
    // The live event has to be ended first.
    setImmediate(() => void work());
  }

  /** Counts a question that cannot be asked. */
  drop(phase: Phase, message: RequestFacts, detail: string): void {
    this.#report(phase, message, { result: 'dropped', detail });
  }

  /** Drops what is open. */
  close(): void {
    this.#isClosed = true;
    for (const one of this.#open) one.cancel();
    this.#client.release();
  }

  async #ask(asked: ShadowQuestion, memory: ShadowMemory, caller: Cancellation): Promise<void> {
    const { payload, live, response } = asked;
    const { requestId, traceparent, tracestate } = asked.message;
    const context = { requestId, traceparent, tracestate, memory, caller };
    const { request, shown } = shownRequestOf(payload);
    // The response phase does not know the path.
    const question = { ...asked, message: { ...asked.message, path: request.url.path } };
    const first = await this.#compare('access', question, live, textShown(shown.body), {
      send: () => this.#client.evaluateRequest(payload, context),
      decide: (answer) => {
        const decided = decideRequest(answer, request, shown);
        return { sentOn: requestSentOn(decided), decided };
      },
    });
    if (response === undefined || first?.kind !== 'permit') return;
    const kept = retainedPayload(payload, first.state);
    const { shown: original, body, method, target } = response;
    await this.#compare('response', question, response.live, textShown(body), {
      send: async () => {
        const member = await bodyMemberInSteps(body, memory);
        const second = composeResponsePayload(original, { target, kept }, member, memory);
        return this.#client.evaluateResponse(second, context);
      },
      decide: (answer) => {
        const decided = decideResponse(answer, original, body, method);
        return { sentOn: responseSentOn(decided), decided };
      },
    });
  }

  /** @returns the shadow's decision; undefined when there is none that can be carried out */
  async #compare<A, D>(
    phase: Phase,
    question: ShadowQuestion,
    live: SentOn,
    shownBody: string | undefined,
    call: {
      send(): Promise<Evaluation<A>>;
      decide(answer: A): { readonly sentOn: SentOn; readonly decided: D };
    },
  ): Promise<D | undefined> {
    let asked: Evaluation<A>;
    try {
      asked = await call.send();
    } catch (thrown) {
      this.#fail(phase, question, thrown);
      return undefined;
    }
    if (this.#isClosed) {
      this.drop(phase, question.message, 'the configuration is gone');
      return undefined;
    }
    this.#record(phase, question, asked.body, asked);
    let now: SentOn;
    let decided: D | undefined;
    try {
      ({ sentOn: now, decided } = call.decide(asked.answer));
    } catch (thrown) {
      now = refusedSentOn(asPingAuthError(thrown).code);
    }
    const differences = sentOnDifferences(live, now, this.#ignored, shownBody);
    this.#report(phase, question.message, {
      result: differences.length === 0 ? 'same' : 'different',
      ...{ live: live.decision, shadow: now.decision, differences },
      ...{ provider: asked.provider, providerMs: asked.durationMs },
    });
    return decided;
  }

  #fail(phase: Phase, question: ShadowQuestion, thrown: unknown): void {
    const { code, detail, call } = asPingAuthError(thrown);
    const result = DROPPED.has(code) ? 'dropped' : 'error';
    if (result === 'error') this.#record(phase, question, `no decision: ${code}`, call);
    const { provider, durationMs: providerMs } = call;
    this.#report(phase, question.message, { result, code, detail, provider, providerMs });
  }

  #report(
    phase: Phase,
    message: RequestFacts,
    outcome: Pick<ShadowRecord, 'result'> & Partial<ShadowRecord>,
  ): void {
    const { telemetry, routeId, serviceId } = this.#host;
    const { requestId, method, path } = message;
    telemetry.shadow({ phase, requestId, method, path, routeId, serviceId, ...outcome });
  }

  #record(
    phase: Phase,
    { message }: ShadowQuestion,
    answer: Uint8Array | string,
    {
      provider,
      durationMs,
    }: { readonly provider?: string | undefined; readonly durationMs?: number | undefined },
  ): void {
    const { telemetry, routeId, serviceId } = this.#host;
    if (telemetry.record === undefined && !this.#config.enable_debug_logging) return;
    const exchange = {
      ...{ phase, requestId: message.requestId, route: routeId, service: serviceId, answer, ms: durationMs },
      provider: provider ?? this.#config.service_url,
      secretHeaderName: this.#config.secret_header_name,
      // The live call's line has it.
      payload: undefined,
    };
    if (this.#config.enable_debug_logging) telemetry.sidebandExchange(exchange);
    telemetry.record?.(exchange);
  }
}

/** The shadow's provider in the place of the deciding one, with limits that keep it small. */
export function shadowConfig(live: PluginConfig): PluginConfig | undefined {
  const { shadow_service_url: url, shadow_shared_secret: secret } = live;
  if (url === undefined || secret === undefined) return undefined;
  const isSameHost = new URL(url).hostname === new URL(live.service_url).hostname;
  return {
    ...live,
    service_url: url,
    shared_secret: secret,
    ca_certificate: live.shadow_ca_certificate ?? live.ca_certificate,
    tls_server_name: isSameHost ? live.tls_server_name : undefined,
    failover_service_urls: [],
    call_timeout_ms: callTimeoutMs(live),
    connections: Math.min(live.connections, CONNECTIONS),
    max_queued_calls: Math.min(live.max_queued_calls, QUEUED_CALLS),
    circuit_failures: live.circuit_failures === 0 ? CIRCUIT_FAILURES : live.circuit_failures,
    max_sideband_response_bytes: Math.min(live.max_sideband_response_bytes, MAX_ANSWER_BYTES),
  };
}

/** What a question holds until it is answered: the payload as text, as bytes and parsed; the response as bytes and text. */
function bytesOf({ payload, response }: ShadowQuestion): number {
  const request = 3 * bytesOfText(payload);
  if (response === undefined) return request;
  const { shown, body } = response;
  return request + shown.body.length + (body.kind === 'text' ? bytesOfText(body.text) : 0);
}

/** Ends a call when the instance is closed. */
class Cancellation implements Caller {
  over = false;
  #listener: (() => void) | undefined;

  onOver(listener: (() => void) | undefined): void {
    if (this.over) listener?.();
    else this.#listener = listener;
  }

  cancel(): void {
    this.over = true;
    this.#listener?.();
    this.#listener = undefined;
  }
}
