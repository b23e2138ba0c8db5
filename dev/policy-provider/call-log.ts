import { createHash } from 'node:crypto';
import type { JsonValue } from './rules.js';

/** One call that reached the policy provider, with what became of it. */
export interface SidebandCall {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly phase: 'request' | 'response' | undefined;
  /** Path and query of the sideband call itself. */
  readonly target: string;
  /** Headers of the sideband call, the secret included, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly payloadBytes: number;
  readonly payloadSha256: string;
  /** undefined when it was not JSON; without its bodies when it was larger than 256 KiB. */
  readonly payload: JsonValue | undefined;
  readonly decision: 'permit' | 'deny' | 'answer' | 'error' | 'raw' | 'rejected';
  readonly rules: readonly string[];
  /** Status of the answer to the plugin. */
  readonly status: number;
  /** The decision as JSON; undefined when there was none. */
  readonly answer: JsonValue | undefined;
}

const KEPT_WHOLE_BYTES = 256 * 1024;

/** For the log: the payload as JSON, large bodies left out. */
export function summarize(
  bytes: Uint8Array,
): Pick<SidebandCall, 'payload' | 'payloadBytes' | 'payloadSha256'> {
  return {
    payloadBytes: bytes.length,
    payloadSha256: createHash('sha256').update(bytes).digest('hex'),
    payload: slim(parse(bytes), bytes.length),
  };
}

/** The same for an answer. */
export function slim(value: JsonValue | undefined, bytes: number): JsonValue | undefined {
  if (bytes <= KEPT_WHOLE_BYTES || value === null || typeof value !== 'object' || Array.isArray(value))
    return value;
  const { body: _, request: __, ...rest } = value;
  return rest;
}

function parse(bytes: Uint8Array): JsonValue | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
