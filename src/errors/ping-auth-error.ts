import { ERRORS, type ErrorCode, type ErrorEntry, type FailOpenScope } from './catalogue.js';

export interface PingAuthErrorOptions {
  /** For the log only: which field, which header, what the provider said. Never a secret, never sent to a client. */
  readonly detail?: string;
  readonly cause?: unknown;
  /** For the client in place of the catalogue's, where one code has several. */
  readonly status?: number;
  /** The scope from which on it can fail open, where one code has several. */
  readonly failOpenScope?: FailOpenScope;
  /** Seconds until a retry makes sense; becomes the client's `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** A JSON document of the policy provider that goes to the client as it is (its 413 only). */
  readonly clientJson?: string;
  /** Of the sideband call that failed; for the log. */
  readonly call?: FailedCall;
}

export interface FailedCall {
  /** Origin of the policy provider. */
  readonly provider?: string | undefined;
  readonly durationMs?: number | undefined;
  /** The provider's `Correlation-Id`. */
  readonly correlationId?: string | undefined;
  /** `id` of the provider's error document. */
  readonly providerErrorId?: string | undefined;
}

/** A refusal. `code` is one of the catalogue's, so a `switch` over it is exhaustive. */
export class PingAuthError extends Error {
  override readonly name = 'PingAuthError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly clientJson: string | undefined;
  /** The scope from which on it can fail open; undefined: never. */
  readonly failOpenScope: FailOpenScope | undefined;
  /** Completed by the sideband client. */
  call: FailedCall;

  constructor(code: ErrorCode, options: PingAuthErrorOptions = {}) {
    const { detail, cause } = options;
    super(detail === undefined ? ERRORS[code].meaning : `${ERRORS[code].meaning}: ${detail}`, { cause });
    this.code = code;
    this.detail = detail;
    this.status = options.status ?? ERRORS[code].status;
    this.failOpenScope = options.failOpenScope ?? ERRORS[code].failOpenScope;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.clientJson = options.clientJson;
    this.call = options.call ?? {};
  }

  get entry(): ErrorEntry {
    return ERRORS[this.code];
  }

  /** Whether `fail_open_*` applies. @param scope `fail_open_scope` */
  mayFailOpen(scope: FailOpenScope): boolean {
    return (
      this.failOpenScope === 'unreachable' || (this.failOpenScope !== undefined && scope === 'unavailable')
    );
  }
}

/** Whatever was thrown, as a PingAuthError: an unknown error is `internal_error`, its own text kept for the log. */
export function asPingAuthError(thrown: unknown): PingAuthError {
  if (thrown instanceof PingAuthError) return thrown;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new PingAuthError('internal_error', { detail, cause: thrown });
}
