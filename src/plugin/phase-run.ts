import type { IgnoredDirective } from '../directives/decision.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import type { OmissionReason, ResponseToSend } from '../http/message.js';
import { overloaded } from '../kong/call-errors.js';
import type { Gateway, LogValues, RequestOwner } from '../kong/gateway.js';
import { errorResponseForAgent } from '../mcp/denial.js';
import type { RequestContextMessage } from '../sideband/request-context.js';
import type { CallContext, Evaluation } from '../sideband/sideband-client.js';
import { type DecisionRecord, type Outcome, type Phase, tenths } from '../telemetry/decision-log.js';
import { redactText } from '../telemetry/redaction.js';
import { isTracing, startSidebandSpan } from '../telemetry/tracing.js';
import { ByteBudget } from './byte-budget.js';
import { errorResponse } from './error-response.js';
import { type PhaseEvent, RestartInstance } from './host.js';
import { type Instance, ready, type Setup } from './instance.js';

/** Nearly all tools have such a name; others may be a URI as long as a page, with a token in it. */
const PLAIN_NAME = /^[\w-]{1,64}$/;
const MAX_LOGGED_NAME = 600;
const SMALL_ANSWER = 65_536;

/** For the case that cannot be: a phase that comes to no end is no permit. */
const UNDECIDED = new PingAuthError('internal_error', { detail: 'the phase ended without a decision' });

/**
 * One phase of one request: the skeleton that both phases have in common, and the one record of it, filled as it goes.
 * What is known when an error comes is what the error finds; what stands here in the end is what the decision line says.
 */
export abstract class PhaseRun implements DecisionRecord, CallContext, MemoryReservation, RequestOwner {
  abstract readonly phase: Phase;
  readonly #startedAt = performance.now();
  readonly #instance: Instance;
  protected readonly gateway: Gateway;
  /** Of the host: whether anybody still waits for the decision. */
  readonly caller: PhaseEvent;
  readonly routeId: string | undefined;
  readonly serviceId: string | undefined;
  outcome: Outcome = 'refuse';
  requestId: string | undefined = undefined;
  traceparent: string | undefined = undefined;
  tracestate: string | undefined = undefined;
  method: string | undefined = undefined;
  path: string | undefined = undefined;
  status: number | undefined = undefined;
  provider: string | undefined = undefined;
  providerMs: number | undefined = undefined;
  ms: number | undefined = undefined;
  changed: readonly string[] | undefined = undefined;
  notes: readonly IgnoredDirective[] | undefined = undefined;
  bodyNotShown: OmissionReason | undefined = undefined;
  code: ErrorCode | undefined = undefined;
  detail: string | undefined = undefined;
  correlationId: string | undefined = undefined;
  providerErrorId: string | undefined = undefined;
  /** The MCP message, where there is one; with the id that an error of ours carries. */
  mcp: RequestContextMessage | undefined = undefined;
  /** Bytes of the process's budget that are to be given back. */
  #held = 0;
  #answerBytes = 0;
  /** What the client gets in the place of the message. */
  protected answer: ResponseToSend | undefined = undefined;

  constructor(instance: Instance, gateway: Gateway, caller: PhaseEvent) {
    this.#instance = instance;
    this.gateway = gateway;
    this.caller = caller;
    this.routeId = instance.routeId;
    this.serviceId = instance.serviceId;
  }

  /** Reads, composes, asks and decides: sets `outcome` and either what is to change or `answer`. */
  protected abstract evaluate(setup: Setup): Promise<void>;
  /** Whether the message goes on although there is no decision: monitor mode and fail-open. */
  protected abstract shouldFailOpen(error: PingAuthError, setup: Setup): boolean;
  /** Lets the message go on, changed as decided. */
  protected abstract forward(log: LogValues): Promise<void>;
  /** Ends the request with this answer. */
  protected abstract respond(response: ResponseToSend, log?: LogValues): Promise<void>;

  /**
   * Comes back only when the message may go on; an answer to the client ends the request in Kong.
   * @throws RestartInstance · the error itself when nobody is left to be answered
   */
  async run(): Promise<void> {
    try {
      await this.#run();
    } finally {
      if (this.#held > 0) this.#instance.budget.giveBack(this.#held);
    }
  }

  /** @param requestId Kong's; undefined before Kong 3.5 */
  identified(requestId: string | undefined): void {
    this.requestId = requestId;
  }

  /** Sets memory aside for a body of this message. @throws PingAuthError `server_overloaded` */
  hold(bytes: number): void {
    this.#held += this.#instance.budget.take(bytes, this.phase);
  }

  get memory(): MemoryReservation {
    return this;
  }

  /** Of small answers there are thousands, and they are no danger. */
  grow(bytes: number): void {
    this.#answerBytes += bytes;
    if (this.#answerBytes <= SMALL_ANSWER) return;
    const more = ByteBudget.beyond(this.#answerBytes, this.#held);
    if (more <= 0) return;
    if (!this.#instance.budget.reserve(more))
      throw overloaded(`an answer of ${bytes} bytes would be too much`);
    this.#held += more;
  }

  /** Everything is given back at the end. */
  shrink(bytes: number): void {
    this.#answerBytes -= bytes;
  }

  async #run(): Promise<void> {
    try {
      await this.evaluate(ready(this.#instance));
    } catch (thrown) {
      this.#fail(asPingAuthError(thrown));
    }
    try {
      if (this.answer === undefined && this.outcome !== 'refuse') await this.forward(this.#logValues());
      else await this.respond(this.answer ?? this.#errorResponse(UNDECIDED), this.#logValues());
      this.#close();
    } catch (thrown) {
      // Half applied is not permitted. If this refusal fails too, the host ends the event with an error.
      const error = asPingAuthError(thrown);
      this.#note(error);
      this.outcome = 'refuse';
      this.#close();
      await this.respond(this.#errorResponse(error), this.#logValues());
    }
  }

  /** One sideband call with what surrounds it: span, correlation, and with enable_debug_logging both messages. */
  protected async ask<A>(
    setup: Setup,
    payload: string,
    send: (payload: string, call: CallContext) => Promise<Evaluation<A>>,
  ): Promise<A> {
    const span = isTracing() ? startSidebandSpan(this.phase, setup.address, this) : undefined;
    try {
      const asked = await send(payload, span?.call ?? this);
      this.provider = asked.provider;
      this.providerMs = asked.durationMs;
      this.correlationId = asked.correlationId;
      span?.end({ status: 200 });
      if (setup.isRecorded) this.#record(setup, payload, asked.body);
      return asked.answer;
    } catch (thrown) {
      const error = asPingAuthError(thrown);
      span?.end({ errorCode: error.code });
      this.#note(error);
      if (setup.isRecorded) this.#record(setup, payload, `no decision: ${error.code}`);
      throw error;
    }
  }

  #fail(error: PingAuthError): void {
    this.#note(error);
    if (this.caller.over === true) {
      this.outcome = 'refuse';
      this.#close();
      throw error;
    }
    this.#restartForFreshSecret(error);
    const { setup } = this.#instance;
    this.answer = undefined;
    if (!(setup instanceof Error) && this.shouldFailOpen(error, setup)) return;
    this.outcome = 'refuse';
    this.answer = this.#errorResponse(error);
    this.status = this.answer.status;
  }

  #errorResponse(error: PingAuthError): ResponseToSend {
    const { setup } = this.#instance;
    if (setup instanceof Error) return errorResponse(error, undefined, this.requestId);
    const answer = errorResponse(error, setup.config.error_status, this.requestId);
    return setup.mcp === undefined ? answer : errorResponseForAgent(answer, error, this.mcp?.id);
  }

  /**
   * Kong does not tell a plugin that a vault's secret has changed; it hands the present one over when it starts an instance.
   * So when the provider refuses the secret, the instance is given up, and Kong runs the event again with a fresh one. The
   * host allows that once in a while; otherwise the 401 is the usual refusal.
   *
   * @throws RestartInstance
   */
  #restartForFreshSecret(error: PingAuthError): void {
    if (error.code !== 'provider_secret_refused' || this.caller.restartAllowed !== true) return;
    const where = this.routeId === undefined ? {} : { route: this.routeId };
    this.#instance.telemetry.notice(
      'warn',
      'the policy provider refused the secret; asking Kong for the present one',
      where,
    );
    throw new RestartInstance('the policy provider refused the secret');
  }

  #note(error: PingAuthError): void {
    const { provider, durationMs, correlationId, providerErrorId } = error.call;
    this.code = error.code;
    this.detail = error.detail;
    this.provider = provider ?? this.provider;
    this.providerMs = durationMs ?? this.providerMs;
    this.correlationId = correlationId ?? this.correlationId;
    this.providerErrorId = providerErrorId ?? this.providerErrorId;
  }

  /** For Kong's own log plugins: `ping_auth.decision`, `.provider_ms`, `.error`, of MCP `.mcp_method`; `ping_auth.response.…`. */
  #logValues(): LogValues {
    const { outcome, code, providerMs } = this;
    const values: Record<string, string | number> = { decision: outcome };
    if (providerMs !== undefined) values.provider_ms = tenths(providerMs);
    if (code !== undefined) values.error = code;
    if (this.mcp !== undefined) {
      values.mcp_method = this.mcp.method;
      const { name } = this.mcp;
      if (name !== undefined)
        values.mcp_name = PLAIN_NAME.test(name) ? name : redactText(name, MAX_LOGGED_NAME);
    }
    const line =
      code !== undefined && outcome === 'refuse'
        ? this.#instance.alarms.line(code, this.requestId)
        : undefined;
    return { key: this.phase === 'access' ? 'ping_auth' : 'ping_auth.response', values, line };
  }

  #record(setup: Setup, payload: string, answer: Uint8Array | string): void {
    const { telemetry } = this.#instance;
    const exchange = {
      phase: this.phase,
      requestId: this.requestId,
      route: this.routeId,
      service: this.serviceId,
      provider: this.provider ?? setup.config.service_url,
      ms: this.providerMs,
      secretHeaderName: setup.config.secret_header_name,
      payload,
      answer,
    };
    if (setup.config.enable_debug_logging) telemetry.sidebandExchange(exchange);
    telemetry.record?.(exchange);
  }

  /** Writes the line. Called once, when what it says has been done. */
  #close(): void {
    this.ms = performance.now() - this.#startedAt;
    this.#instance.telemetry.decision(this);
  }
}
