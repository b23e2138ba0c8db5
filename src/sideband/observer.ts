import type { ErrorCode } from '../errors/catalogue.js';
import type { CircuitState } from './circuit.js';

export type SidebandPhase = 'request' | 'response';

/** One sideband call with everything in it: queue, retries, failover. */
export interface CallFinished {
  readonly phase: SidebandPhase;
  /** The provider that answered, or that failed last; undefined when none was tried. */
  readonly provider: string | undefined;
  readonly outcome: 'permit' | 'deny' | 'answered' | ErrorCode;
  readonly durationMs: number;
  readonly correlationId: string | undefined;
  /** `id` of the provider's error body. */
  readonly providerErrorId: string | undefined;
}

/** A provider brought no answer; `next` is asked instead, or nobody is left. */
export interface ProviderFailed {
  readonly phase: SidebandPhase;
  readonly provider: string;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly next: string | undefined;
}

export interface CircuitChanged {
  readonly provider: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
  /** Seconds until calls are made again. */
  readonly secondsLeft: number;
}

export interface StaleConnection {
  readonly phase: SidebandPhase;
  readonly provider: string;
}

/** What the client reports for logs and metrics. Must not throw. Nothing in it is secret. */
export interface SidebandObserver {
  callFinished?(event: CallFinished): void;
  providerFailed?(event: ProviderFailed): void;
  /** The circuit is shared: the instance whose call changed it reports it. */
  circuitChanged?(event: CircuitChanged): void;
  /** A kept connection turned out to be closed; the call is repeated once on a new one. */
  staleConnection?(event: StaleConnection): void;
}
