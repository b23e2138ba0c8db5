import type { DecisionLine, ShadowCallLine, ShadowLine, SidebandLine } from './log-record.js';

/** What the log has about one phase of a request. */
export interface RecordedPhase {
  /** Line numbers in the file. */
  readonly lines: readonly number[];
  readonly decision?: DecisionLine;
  readonly call?: SidebandLine;
  /** What a shadow policy decided about the same message. */
  readonly shadow?: { readonly line?: ShadowLine; readonly call?: ShadowCallLine };
}

/** One request's way through both phases, as far as the log has it. */
export interface Exchange {
  /** From 1, in the order in which exchanges begin. */
  readonly key: number;
  readonly requestId: string | undefined;
  /** Of the first line, milliseconds since 1970. */
  readonly time: number | undefined;
  readonly access?: RecordedPhase;
  readonly response?: RecordedPhase;
}

/**
 * Puts the lines of several processes, as they come, into exchanges by request id. Of exchanges that may go on it
 * remembers the `maxOpen` latest ones; a line that comes later than that starts one of its own.
 */
export class Exchanges {
  readonly #maxOpen: number;
  readonly #open = new Map<string, Exchange>();
  #last = 0;

  constructor(maxOpen = 10_000) {
    this.#maxOpen = maxOpen;
  }

  /** The exchange with this line in it: a new one, or a new version (same key) of one that was given before. */
  add(line: number, record: DecisionLine | SidebandLine): Exchange {
    const { request_id: id, phase } = record;
    const known = id === undefined ? undefined : this.#open.get(id);
    const before = known === undefined || isTaken(known, record) ? this.#begin(record) : known;
    const { lines = [], ...rest } = before[phase] ?? {};
    const exchange: Exchange = {
      ...before,
      [phase]: {
        ...rest,
        lines: [...lines, line],
        ...(record.kind === 'decision' ? { decision: record } : { call: record }),
      },
    };
    if (id !== undefined) this.#remember(id, exchange);
    return exchange;
  }

  #begin({ request_id: requestId, time }: DecisionLine | SidebandLine): Exchange {
    this.#last += 1;
    return { key: this.#last, requestId, time };
  }

  #remember(id: string, exchange: Exchange): void {
    this.#open.delete(id);
    if (isOver(exchange)) return;
    this.#open.set(id, exchange);
    if (this.#open.size <= this.#maxOpen) return;
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#open.delete(oldest);
  }
}

/** A second plugin of ours on the same request (`ping-auth-access` beside `ping-auth`): an exchange of its own. */
function isTaken(exchange: Exchange, { phase, kind }: DecisionLine | SidebandLine): boolean {
  const there = exchange[phase];
  // A phase's call is written before its decision.
  if (there?.decision !== undefined) return true;
  return kind === 'sideband' && there?.call !== undefined;
}

/** The exchange with what a shadow policy decided; its lines come after all others of the request. */
export function withShadow(exchange: Exchange, line: number, record: ShadowLine | ShadowCallLine): Exchange {
  const { lines, ...rest }: RecordedPhase = exchange[record.phase] ?? { lines: [] };
  const shadow =
    record.kind === 'shadow' ? { ...rest.shadow, line: record } : { ...rest.shadow, call: record };
  return { ...exchange, [record.phase]: { ...rest, lines: [...lines, line], shadow } };
}

/** Whether no other line about it is to be expected: a denied or refused request has no response phase. */
export function isOver({ access, response }: Exchange): boolean {
  if (response?.decision !== undefined) return true;
  const outcome = access?.decision?.decision;
  return outcome === 'deny' || outcome === 'refuse';
}
