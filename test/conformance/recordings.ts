import { readFileSync } from 'node:fs';
import type { ScriptCall } from './pb-probe-codec.js';

/** The trimmed recordings of a real Kong 3.9.3 in test/fixtures/kong-3.9.3; their README explains the notation. */

/** Bytes as latin1 text; a repeated part as `[text, times]`. */
export type Bytes = string | readonly (string | readonly [string, number])[];

export interface RecordedRequest {
  readonly tls?: boolean;
  readonly clientCert?: boolean;
  readonly sent?: readonly Bytes[];
  readonly http2?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Bytes;
}

/** A body: text, or the length and hash of a long one. */
export type RecordedBody = string | { readonly len: number; readonly sha256: string };

export interface RecordedResponse {
  readonly status: string;
  readonly headers: readonly string[];
  readonly framing?: string;
  readonly body: RecordedBody;
  /** Bytes of the body that were announced and never came. */
  readonly short?: number;
  /** What came behind the response without being asked for. */
  readonly extra?: RecordedBody;
}

export interface RecordedClient {
  readonly responses?: readonly RecordedResponse[];
  readonly closed?: boolean;
  /** The client gave up waiting. */
  readonly hung?: boolean;
  readonly unparsed?: RecordedBody;
  readonly http2?: true;
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: RecordedBody;
  readonly rst?: number;
  readonly error?: true;
}

export interface RecordedUpstream {
  readonly line?: string;
  readonly headers?: readonly string[];
  readonly body?: RecordedBody;
  readonly incomplete?: true;
  /** Bytes behind the announced body. */
  readonly rest?: string;
  readonly tunnel?: string;
}

/** Canonical value of a reply; `{"$nothing":true}`, `{"$any":type}` and `{"$threw":true}` are marks. */
export type RecordedValue =
  | null
  | boolean
  | number
  | string
  | RecordedValue[]
  | { readonly [key: string]: RecordedValue };

export interface RecordedPhase {
  readonly phase: string;
  readonly end: 'running' | 'returned' | 'closed';
  readonly replies?: readonly RecordedValue[];
}

/** A recording or "same as X". */
export type OrSame<T> = T | `same as ${VariantName}`;

export type VariantName = 'pb' | 'br' | 'mp' | 'mr';

export interface RecordedVariant {
  readonly phases: OrSame<readonly RecordedPhase[]> | null;
  readonly upstream?: OrSame<readonly RecordedUpstream[]>;
  readonly client: OrSame<RecordedClient> | null;
}

export interface Script {
  readonly access?: readonly ScriptCall[];
  readonly response?: readonly ScriptCall[];
}

export type EffectCase = {
  readonly request: string;
  readonly script: Script;
  readonly upstreamReply?: string;
  readonly second?: readonly RecordedUpstream[];
} & { readonly [variant in VariantName]?: RecordedVariant };

export interface AccessEffects {
  readonly requests: Readonly<Record<string, RecordedRequest>>;
  readonly cases: Readonly<Record<string, EffectCase>>;
}

export interface UpstreamReply {
  readonly do?: 'close' | 'hang' | 'n/a';
  readonly parts?: readonly (Bytes | { readonly waitMs: number })[];
  readonly thenClose?: boolean;
}

export interface ServiceOptions {
  readonly retries?: number;
  readonly read_timeout?: number;
  readonly refused?: boolean;
  readonly unresolvable?: boolean;
}

export interface RecordedRead {
  readonly phases: string;
  readonly upstreamRequests: number;
  readonly client: RecordedClient;
}

export type ReplyGroups = Readonly<Record<string, readonly RecordedValue[] | null>>;

export interface ResponseEffects {
  readonly requests: Readonly<Record<string, RecordedRequest>>;
  readonly services: Readonly<Record<string, ServiceOptions>>;
  readonly scripts: Readonly<Record<string, readonly ScriptCall[]>>;
  readonly upstreamReplies: Readonly<Record<string, UpstreamReply>>;
  readonly reads: Readonly<
    Record<
      string,
      {
        readonly buffered?: RecordedRead;
        readonly buffered_h2?: RecordedRead;
        readonly buffered_head?: RecordedRead;
        readonly pb?: ReplyGroups;
        readonly mp?: ReplyGroups;
        readonly head?: ReplyGroups;
      }
    >
  >;
  readonly effects: Readonly<Record<string, EffectCase>>;
}

export interface RecordedCall {
  readonly call: ScriptCall;
  readonly value: RecordedValue;
}

export interface ReadCase {
  readonly config: 'main' | 'trusted';
  readonly request: RecordedRequest;
  readonly pb?: ReadCalls;
  readonly mp?: ReadCalls;
  readonly upstream?: readonly RecordedUpstream[];
  readonly client?: RecordedClient;
  readonly buffered?: {
    readonly phases: readonly string[];
    readonly status: number;
    readonly upstream: readonly RecordedUpstream[];
  };
}

export interface ReadCalls {
  readonly calls: readonly RecordedCall[];
  /** Calls made in a request of their own. */
  readonly groups: readonly {
    readonly name: string;
    readonly calls: readonly RecordedCall[];
    readonly client?: RecordedClient;
  }[];
}

export interface OnceCase {
  readonly calls: readonly RecordedCall[];
  readonly status: number | null;
  readonly upstream: number | null;
  readonly client?: RecordedClient;
  readonly log?: number;
}

export interface Reads {
  readonly cases: Readonly<Record<string, ReadCase>>;
  readonly once: Readonly<Record<string, { readonly pb?: OnceCase; readonly mp?: OnceCase }>>;
}

const FOLDER = new URL('../fixtures/kong-3.9.3/', import.meta.url);

function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
}

export interface RecordedFault {
  readonly client: {
    readonly status?: string;
    readonly headers?: readonly string[];
    readonly body?: RecordedBody;
    readonly closed?: boolean;
    readonly hung?: boolean;
  };
  /** Requests that reached the upstream. */
  readonly upstream: number;
  /** Status of the next request, when the server behaves again. */
  readonly next?: number | null;
}

export interface RecordedFaults {
  readonly scripted: Readonly<
    Record<'pb' | 'mp', Readonly<Record<string, Readonly<Record<string, RecordedFault>>>>>
  >;
  readonly start: Readonly<Record<string, Readonly<Record<string, RecordedFault>>>>;
}

/** A later fact with the place where it was seen. */
interface Seen {
  readonly source: string;
}

/** A header's values from the client and to the upstream. */
interface SentOn {
  readonly cases: readonly (Seen & {
    readonly header: string;
    readonly client: readonly string[];
    readonly upstream: readonly string[];
  })[];
}

export interface RunningKong {
  readonly requestHeaders: {
    readonly cases: readonly (Seen & {
      readonly header: string;
      /** Values in the client's request. */
      readonly client: readonly string[];
      readonly clear?: true;
      readonly set: readonly string[];
      readonly upstream: readonly string[];
    })[];
  };
  readonly responseHeaders: {
    readonly cases: readonly (Seen & {
      readonly header: string;
      readonly set: readonly string[];
      readonly client: readonly string[];
    })[];
  };
  readonly repeated: {
    readonly cases: readonly (Seen & { readonly header: string; readonly status: number })[];
  };
  readonly buffered: SentOn;
  readonly streamed: SentOn;
  readonly requestLines: {
    readonly cases: readonly (Seen & {
      readonly line: string;
      readonly version: number;
      readonly via: string;
      readonly client: string;
    })[];
  };
  readonly upgrades: {
    readonly cases: readonly (Seen & {
      readonly headers: readonly string[];
      readonly phases: string;
      readonly upstream: readonly string[];
    })[];
  };
  readonly conditional: {
    readonly cases: readonly (Seen & {
      readonly method: string;
      readonly condition: string;
      /** Headers of the upstream's 200. */
      readonly upstream: readonly string[];
      readonly client: string;
    })[];
  };
  readonly conditionalExit: {
    readonly cases: readonly (Seen & {
      readonly phase: 'access' | 'response';
      readonly condition: string;
      readonly client: string;
    })[];
  };
  readonly repeatedByUpstream: {
    readonly cases: readonly (Seen & {
      readonly header: string;
      readonly upstream: readonly string[];
      readonly streamed: readonly string[];
      readonly buffered: readonly string[];
    })[];
  };
  readonly oddAnswers: {
    readonly cases: readonly (Seen & {
      readonly what: string;
      readonly answer: string;
      readonly closes: boolean;
      readonly clientCloses: boolean;
      readonly client: string;
      readonly phases: string;
    })[];
  };
  readonly own500: {
    /** What the upstream answers. */
    readonly upstream: string;
    readonly cases: readonly (Seen & { readonly fault: string; readonly kept: readonly string[] })[];
  };
}

export const loadFaults = (): RecordedFaults => load('faults.json');
export const loadRunningKong = (): RunningKong => load('running-kong.json');
export const loadReads = (): Reads => load('reads.json');
export const loadAccessEffects = (): AccessEffects => load('access-effects.json');
export const loadResponseEffects = (): ResponseEffects => load('response-effects.json');

export function expand(bytes: Bytes): Buffer {
  const text =
    typeof bytes === 'string'
      ? bytes
      : bytes.map((part) => (typeof part === 'string' ? part : part[0].repeat(part[1]))).join('');
  return Buffer.from(text, 'latin1');
}

/** Follows "same as X" inside one case. */
export function resolve<K extends 'phases' | 'upstream' | 'client'>(
  recorded: { readonly [variant in VariantName]?: RecordedVariant },
  variant: VariantName,
  part: K,
): Exclude<RecordedVariant[K], string> | undefined {
  const found = recorded[variant]?.[part];
  if (typeof found === 'string')
    return resolve(recorded, found.slice('same as '.length) as VariantName, part);
  return found as Exclude<RecordedVariant[K], string> | undefined;
}
