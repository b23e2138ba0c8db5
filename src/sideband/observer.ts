import type { ErrorCode } from '../errors/catalogue.js';
import type { CircuitState } from './circuit-breaker.js';

export type SidebandPhase = 'request' | 'response';

/** A provider gave no answer; `next` is called instead, or none is left. */
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
  providerFailed?(event: ProviderFailed): void;
  /** The circuit breaker is shared: the instance whose call changed it reports it. */
  circuitChanged?(event: CircuitChanged): void;
  /** A kept connection turned out to be closed; the call is repeated once on a new one. */
  staleConnection?(event: StaleConnection): void;
}
