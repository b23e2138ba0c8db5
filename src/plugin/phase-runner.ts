import type { IgnoredDirective } from '../directives/decision.js';
import { asPingAuthError, type FailedCall, type PingAuthError } from '../errors/ping-auth-error.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import type { OmissionReason, ResponseToSend } from '../http/message.js';
import { toPingAuthError } from '../kong/call-errors.js';
import type { LogValues } from '../kong/gateway.js';
import type { ApprovalOffer } from '../mcp/approval.js';
import { errorResponseForAgent } from '../mcp/denial.js';
import { type Payload, payloadText } from '../sideband/payloads.js';
import type { RequestContextMessage } from '../sideband/request-context.js';
import type { CallContext, Evaluation } from '../sideband/sideband-client.js';
import {
  type DecisionRecord,
  type Outcome,
  type Phase as PhaseName,
  tenths,
} from '../telemetry/decision-log.js';
import { redactText } from '../telemetry/redaction.js';
import { startSidebandSpan } from '../telemetry/tracing.js';
import { errorResponse } from './error-response.js';
import type { PhaseEvent } from './host.js';
import type { Instance, Setup } from './instance.js';

/** Nearly all tools have such a name; others may be a URI as long as a page, with a token in it. */
const PLAIN_NAME = /^[\w-]{1,64}$/;
const MAX_LOGGED_NAME = 600;

/** What becomes of a message. Nothing else leaves a phase. */
export type Decision<Changes> = Forwarding<Changes> | Refusal;

interface Forwarding<Changes> extends DecisionDetails {
  readonly kind: 'forward';
  readonly changes: Changes;
}

interface Refusal extends DecisionDetails {
  readonly kind: 'respond';
  readonly response: ResponseToSend;
}

/** For the log line. */
interface DecisionDetails {
  readonly outcome: Outcome;
  /** What the policy changed; in monitor mode, what it would have changed. */
  readonly changed?: readonly string[];
  readonly notes?: readonly IgnoredDirective[];
  /** The status that the client gets, where it is another one than the message has. */
  readonly status?: number | undefined;
  /** How an agent was told of the page where a person can approve its call. */
  readonly approval?: ApprovalOffer | undefined;
}

/** What is known of an event before it is decided. */
interface EventOfPhase {
  readonly name: PhaseName;
  readonly message: MessageFacts;
}

/** One phase of one request. */
export interface Phase<Changes> extends EventOfPhase {
  /** Reads the message, asks the policy, decides. */
  evaluate(setup: Setup, memory: MemoryReservation, call: PolicyCall): Promise<Decision<Changes>>;
  /**
   * The decision when `evaluate` failed: monitor mode and fail-open may let the message go on.
   * @throws PingAuthError when it could but must not; then it is refused with that
   */
  onError(error: PingAuthError, setup: Setup): Decision<Changes>;
  /** Tells Kong. */
  apply(decision: Decision<Changes>, log: LogValues): Promise<void>;
  /** The decision is carried out and reported. Asks the shadow policy, later. Must not throw. */
  askShadow?(setup: Setup): void;
}

/** What is known of the message so far. The phase fills it in while it reads; error responses and log lines tell it. */
export interface MessageFacts {
  requestId?: string | undefined;
  traceparent?: string | undefined;
  tracestate?: string | undefined;
  method?: string | undefined;
  path?: string | undefined;
  /** Of the upstream's response. */
  status?: number | undefined;
  bodyNotShown?: OmissionReason;
  mcp?: RequestContextMessage | undefined;
}

/**
 * Runs one phase. Comes back when the message may go on, when the client has its answer, and when the host repeats the event.
 * @throws the error itself when the event is over, or when Kong could not be told of an error response
 */
export async function runPhase<C>(phase: Phase<C>, instance: Instance, event: PhaseEvent): Promise<void> {
  const startedAt = performance.now();
  const memory = instance.budget.reservation(phase.name);
  const call = new PolicyCall(phase, instance, event, memory);
  const report = (decision: Decision<C>, error: PingAuthError | undefined) => {
    const ms = performance.now() - startedAt;
    instance.telemetry.decision(decisionRecord(phase, instance, decision, error, call.facts, ms));
  };
  try {
    let decision: Decision<C>;
    let error: PingAuthError | undefined;
    try {
      decision = await phase.evaluate(ready(instance), memory, call);
    } catch (thrown) {
      error = toPingAuthError(thrown);
      if (event.over === true) {
        report(refuse(error, instance, phase.message), error);
        throw error;
      }
      if (await isRestarted(error, instance, event)) return;
      try {
        decision = phase.onError(error, ready(instance));
      } catch (second) {
        error = toPingAuthError(second);
        decision = refuse(error, instance, phase.message);
      }
    }
    try {
      await phase.apply(decision, logValues(phase, instance, decision, error, call.facts));
      report(decision, error);
    } catch (thrown) {
      // Half applied is not permitted. If this refusal fails too, the host ends the event with an error.
      const fault = toPingAuthError(thrown);
      const refusal = { ...decision, ...refuse(fault, instance, phase.message) };
      report(refusal, fault);
      if (event.over === true) throw fault;
      await phase.apply(refusal, logValues(phase, instance, refusal, fault, call.facts));
      return;
    }
    const { setup } = instance;
    if (!(setup instanceof Error) && setup.shadow !== undefined) phase.askShadow?.(setup);
  } finally {
    memory.release();
  }
}

/** @throws PingAuthError when the configuration is invalid */
function ready({ setup }: Instance): Setup {
  if (setup instanceof Error) throw setup;
  return setup;
}

/** The answer to the client in place of the message. */
export function refuse(error: PingAuthError, instance: Instance, message: MessageFacts): Refusal {
  const { setup } = instance;
  const config = setup instanceof Error ? undefined : setup.config;
  const plain = errorResponse(error, config?.error_status, message.requestId);
  const response = config?.mcp === true ? errorResponseForAgent(plain, error, message.mcp?.id) : plain;
  return { kind: 'respond', outcome: 'refuse', response, status: response.status };
}

/**
 * Kong does not tell a plugin that a vault's secret has changed; it hands the present one over when it starts an instance. So when
 * the provider refuses the secret, the host is asked to start the instance again and to repeat the event. It grants that once in
 * a while; otherwise the 401 is the usual refusal.
 */
async function isRestarted(error: PingAuthError, instance: Instance, event: PhaseEvent): Promise<boolean> {
  if (error.code !== 'provider_secret_refused' || (await event.requestRestart?.()) !== true) return false;
  const where = instance.routeId === undefined ? {} : { route: instance.routeId };
  const text = 'the policy provider refused the secret; asking Kong for the current one';
  instance.telemetry.notice('warn', text, where);
  return true;
}

/** The call to the policy provider with what surrounds it: span, correlation, memory for the answer, recording. */
export class PolicyCall {
  readonly #phase: EventOfPhase;
  readonly #instance: Instance;
  readonly #event: PhaseEvent;
  readonly #memory: MemoryReservation;
  /** Of the call that was made, for the log line. */
  facts: FailedCall = {};

  constructor(phase: EventOfPhase, instance: Instance, event: PhaseEvent, memory: MemoryReservation) {
    this.#phase = phase;
    this.#instance = instance;
    this.#event = event;
    this.#memory = memory;
  }

  /** @throws PingAuthError with the facts of the call */
  async ask<A>(
    setup: Setup,
    payload: Payload,
    send: (payload: Payload, call: CallContext) => Promise<Evaluation<A>>,
  ): Promise<A> {
    const context = this.#context();
    const span = setup.isTracing ? startSidebandSpan(this.#phase.name, setup.address, context) : undefined;
    try {
      const asked = await send(payload, span?.call ?? context);
      this.facts = asked;
      span?.end({ status: 200 });
      if (setup.isRecorded) this.#record(setup, payload, asked.body);
      return asked.answer;
    } catch (thrown) {
      const error = asPingAuthError(thrown);
      this.facts = error.call;
      span?.end({ errorCode: error.code });
      if (setup.isRecorded) this.#record(setup, payload, `no decision: ${error.code}`);
      throw error;
    }
  }

  #context(): CallContext {
    const { requestId, traceparent, tracestate } = this.#phase.message;
    return { requestId, traceparent, tracestate, caller: this.#event, memory: this.#memory };
  }

  #record(setup: Setup, payload: Payload, answer: Uint8Array | string): void {
    const { telemetry, routeId, serviceId } = this.#instance;
    const { config } = setup;
    const exchange = {
      phase: this.#phase.name,
      requestId: this.#phase.message.requestId,
      route: routeId,
      service: serviceId,
      provider: this.facts.provider ?? config.service_url,
      ms: this.facts.durationMs,
      secretHeaderName: config.secret_header_name,
      payload: payloadText(payload),
      answer,
    };
    if (config.enable_debug_logging) telemetry.sidebandExchange(exchange);
    telemetry.record?.(exchange);
  }
}

/** For Kong's own log plugins: `ping_auth.decision`, `.provider_ms`, `.error`, of MCP `.mcp_method`; `ping_auth.response.…`. */
function logValues(
  { name: phase, message }: EventOfPhase,
  instance: Instance,
  { outcome }: DecisionDetails,
  error: PingAuthError | undefined,
  { durationMs }: FailedCall,
): LogValues {
  const values: Record<string, string | number> = { decision: outcome };
  if (durationMs !== undefined) values.provider_ms = tenths(durationMs);
  if (error !== undefined) values.error = error.code;
  if (message.mcp !== undefined) {
    const { method, name } = message.mcp;
    values.mcp_method = method;
    if (name !== undefined)
      values.mcp_name = PLAIN_NAME.test(name) ? name : redactText(name, MAX_LOGGED_NAME);
  }
  const line =
    error !== undefined && outcome === 'refuse'
      ? instance.errorLog.line(error.code, message.requestId)
      : undefined;
  return { key: phase === 'access' ? 'ping_auth' : 'ping_auth.response', values, line };
}

function decisionRecord(
  { name: phase, message }: EventOfPhase,
  { routeId, serviceId }: Instance,
  { outcome, changed, notes, status, approval }: DecisionDetails,
  error: PingAuthError | undefined,
  call: FailedCall,
  ms: number,
): DecisionRecord {
  const { requestId, method, path, mcp, bodyNotShown } = message;
  return {
    phase,
    outcome,
    requestId,
    routeId,
    serviceId,
    method,
    path,
    mcp,
    status: status ?? message.status,
    provider: call.provider,
    providerMs: call.durationMs,
    ms,
    changed,
    notes,
    approval,
    bodyNotShown,
    code: error?.code,
    detail: error?.detail,
    correlationId: call.correlationId,
    providerErrorId: call.providerErrorId,
  };
}
