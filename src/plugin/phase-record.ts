import type { PingAuthError } from '../errors/ping-auth-error.js';
import type { LogValues } from '../gateway/gateway.js';
import type { DecisionRecord, Outcome, Phase } from '../telemetry/decision-log.js';
import type { Instance } from './instance.js';

/** Gathers, in the course of one phase, what its one decision line and its one count will say. */
export class PhaseRecord {
  readonly #started = performance.now();
  readonly #instance: Instance;
  readonly #phase: Phase;
  readonly #facts: { -readonly [Name in keyof DecisionRecord]: DecisionRecord[Name] };

  constructor(instance: Instance, phase: Phase) {
    this.#instance = instance;
    this.#phase = phase;
    const { routeId, serviceId } = instance;
    // Every member from the start, so that all records have one shape; `outcome` is set when there is one.
    this.#facts = {
      phase,
      outcome: 'refuse',
      requestId: undefined,
      routeId,
      serviceId,
      status: undefined,
      provider: undefined,
      providerMs: undefined,
      ms: undefined,
      changed: undefined,
      notes: undefined,
      code: undefined,
      detail: undefined,
      correlationId: undefined,
      providerErrorId: undefined,
    };
  }

  note(facts: Partial<DecisionRecord>): void {
    Object.assign(this.#facts, facts);
  }

  noteError(error: PingAuthError): void {
    const { provider, durationMs, correlationId, providerErrorId } = error.call;
    this.note({
      code: error.code,
      detail: error.detail,
      ...(provider !== undefined && { provider }),
      ...(correlationId !== undefined && { correlationId }),
      ...(providerErrorId !== undefined && { providerErrorId }),
      ...(durationMs !== undefined && { providerMs: durationMs }),
    });
  }

  /** For Kong's own log plugins: `ping_auth.decision`, `ping_auth.provider_ms`, `ping_auth.error`; `ping_auth.response.…`. */
  logValues(outcome: Outcome): LogValues {
    const { code, providerMs } = this.#facts;
    return {
      key: this.#phase === 'access' ? 'ping_auth' : 'ping_auth.response',
      values: {
        decision: outcome,
        ...(providerMs !== undefined && { provider_ms: Math.round(providerMs * 10) / 10 }),
        ...(code !== undefined && { error: code }),
      },
    };
  }

  /** Writes the line. Called once, when what it says has been done. */
  close(outcome: Outcome): void {
    this.#facts.outcome = outcome;
    this.#facts.ms = performance.now() - this.#started;
    this.#instance.telemetry.decision(this.#facts);
  }
}
