import { randomUUID } from 'node:crypto';
import type { Delivery, JsonValue } from './rules.js';

/** What goes back to the plugin, right or wrong. */
export interface Answer {
  readonly status: number;
  readonly reason?: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** Statuses of interim answers that go first. */
  readonly interim?: readonly number[] | undefined;
  /** Headers or body that never end. */
  readonly endless?: 'headers' | 'body' | undefined;
  readonly deliver?: Delivery | undefined;
}

/** 200 with a JSON document, as every decision is. */
export function jsonAnswer(value: JsonValue, status = 200, headers: Answer['headers'] = []): Answer {
  return {
    status,
    headers: [['Content-Type', 'application/json'], ...headers],
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** An answer that is not a decision, in the shape that Ping's servers give it. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  headers: Answer['headers'] = [],
): Answer {
  return jsonAnswer({ id: randomUUID(), code, message }, status, headers);
}
