import type { InstanceRecord } from '../instance-registry.js';

/** What the parent tells a worker. A connection travels as the handle of a `connection` message, and has a number. */
export type ToWorker =
  /** First of all: every instance there is. */
  | { readonly type: 'instances'; readonly records: readonly InstanceRecord[] }
  | { readonly type: 'instance'; readonly record: InstanceRecord }
  | { readonly type: 'drop'; readonly id: number }
  | { readonly type: 'connection'; readonly connection: number }
  /** Answered by `alive`. */
  | { readonly type: 'ping' }
  /** Finish and exit. */
  | { readonly type: 'drain'; readonly graceMs: number }
  /** Answered by `report`. */
  | { readonly type: 'report'; readonly request: number }
  | { readonly type: 'answer'; readonly request: number; readonly result: Answer };

/** What a worker tells its parent. */
export type ToParent =
  | { readonly type: 'ready' }
  | { readonly type: 'alive' }
  /** A connection was closed, whoever did it. */
  | { readonly type: 'closed'; readonly connection: number }
  | { readonly type: 'used'; readonly ids: readonly number[] }
  | { readonly type: 'close'; readonly id: number }
  | { readonly type: 'report'; readonly request: number; readonly report: unknown }
  | (Question & { readonly request: number });

/** What a worker asks its parent. Instances that come of it are told before the answer. */
export type Question =
  | { readonly type: 'start'; readonly name: string; readonly config: string }
  | { readonly type: 'find'; readonly id: number }
  | { readonly type: 'restart'; readonly id: number };

export interface Answer {
  /** The instance that was started. */
  readonly record?: InstanceRecord;
  /** Whether a restart is granted. */
  readonly granted?: boolean;
}
