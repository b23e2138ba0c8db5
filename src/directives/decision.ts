import type { ResponseToSend } from '../exchange/http-message.js';
import type { Json } from '../exchange/sideband-message.js';

/** Headers to set (all values of a name together) and to take away. Names in lower case; disjoint. */
export interface HeaderChanges {
  readonly set: ReadonlyMap<string, readonly string[]>;
  readonly remove: readonly string[];
}

/** What the policy changed in the request. A member that is undefined stays as it is. */
export interface RequestChanges {
  readonly method: string | undefined;
  /** Escaped path. */
  readonly path: string | undefined;
  /** Raw query without `?`; `''` removes it. */
  readonly query: string | undefined;
  /** New `Host` for the upstream. */
  readonly host: string | undefined;
  readonly headers: HeaderChanges;
  readonly body: Uint8Array | undefined;
}

/** What the policy changed in the response. */
export interface ResponseChanges {
  readonly status: number | undefined;
  readonly headers: HeaderChanges;
  /** New body; an empty array erases it. undefined keeps the upstream's bytes. */
  readonly body: Uint8Array | undefined;
}

export type RequestDecision =
  | { readonly kind: 'deny'; readonly response: ResponseToSend; readonly notes: readonly Note[] }
  | {
      readonly kind: 'permit';
      readonly changes: RequestChanges;
      readonly state: Json | undefined;
      readonly notes: readonly Note[];
    };

export interface ResponseDecision {
  readonly changes: ResponseChanges;
  readonly notes: readonly Note[];
}

/** Something the policy asked for that was ignored; for the log. Names only, never values. */
export interface Note {
  readonly what: 'unchangeable_field' | 'dropped_header';
  readonly name: string;
}
