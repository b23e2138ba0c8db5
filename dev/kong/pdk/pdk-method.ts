import type { KongLog } from '../kong-log.js';
import type { Phase, RequestContext } from '../request-context.js';
import { PdkError, type PdkValue } from './lua-values.js';

/** What a PDK method works on. */
export interface PdkCall {
  readonly ctx: RequestContext;
  readonly log: KongLog;
  /** Which protocol asks: the two differ in what nil and bodies mean. */
  readonly protocol: 'pb' | 'mp';
  /** The name of the plugin that calls. */
  readonly plugin: string;
}

export type PdkFunction = (call: PdkCall, args: readonly PdkValue[]) => PdkValue | Promise<PdkValue>;

export interface PdkMethod {
  readonly phases: readonly Phase[];
  /** All phases Kong names in its error message, in its order. */
  readonly only: string;
  readonly run: PdkFunction;
}

export const ANY: Pick<PdkMethod, 'phases' | 'only'> = {
  phases: ['access', 'header_filter', 'response'],
  only: '',
};
export const REQUEST_WRITES: typeof ANY = { phases: ['access'], only: 'rewrite, access, balancer' };
export const RESPONSE_READS: typeof ANY = {
  phases: ['response', 'header_filter'],
  only: 'response, header_filter, body_filter, log, error, admin_api',
};
export const SERVICE_RESPONSE: typeof ANY = {
  phases: ['response', 'header_filter'],
  only: 'response, header_filter, body_filter, log',
};

/** @throws PdkError when the method may not be called in this phase. */
export function checkPhase(method: PdkMethod, phase: Phase): void {
  if (!method.phases.includes(phase)) {
    throw new PdkError(`function cannot be called in ${phase} phase (only in: ${method.only})`);
  }
}

/** @throws PdkError */
export function checkCount(kind: 'max_headers' | 'max_args', value: PdkValue): number {
  if (value === undefined || value === null) return 100;
  if (typeof value !== 'number') throw new PdkError(`${kind} must be a number`);
  if (value < 1) throw new PdkError(`${kind} must be >= 1`);
  if (value > 1000) throw new PdkError(`${kind} must be <= 1000`);
  return value;
}

/** @throws PdkError */
export function text(value: PdkValue, name: string): string {
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  throw new PdkError(`${name} must be a string`);
}
