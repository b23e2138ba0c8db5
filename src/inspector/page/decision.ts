import type { Row, RowPhase } from '../wire.js';

/** What became of a request, in the order of how much it matters. */
export const KINDS = ['permit', 'change', 'deny', 'refuse', 'fail_open'] as const;
export type Kind = (typeof KINDS)[number];

export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  permit: 'permit',
  change: 'change',
  deny: 'deny',
  refuse: 'refuse',
  fail_open: 'fail open',
};

export interface Decision {
  readonly kind: Kind;
  readonly isMonitored: boolean;
  /** False while no decision line has come: then nothing else is. */
  readonly isKnown: boolean;
  readonly status: number | undefined;
  readonly code: string | undefined;
}

const DECISIONS = new WeakMap<Row, Decision>();

/** Both phases in one: the one that matters more decides. */
export function decisionOf(row: Row): Decision {
  const known = DECISIONS.get(row);
  if (known !== undefined) return known;
  const made = decisionOfPhases(row);
  DECISIONS.set(row, made);
  return made;
}

function decisionOfPhases({ access, response }: Row): Decision {
  const [first, second] = [phaseDecision(access), phaseDecision(response)];
  const decisive =
    second !== undefined && (first === undefined || rank(second) >= rank(first)) ? second : first;
  return {
    kind: decisive?.kind ?? 'permit',
    isMonitored: decisive?.isMonitored ?? false,
    isKnown: decisive !== undefined,
    status: response?.status ?? access?.status,
    code: response?.code ?? access?.code,
  };
}

export function phaseDecision(phase: RowPhase | undefined): { kind: Kind; isMonitored: boolean } | undefined {
  if (phase?.outcome === undefined) return undefined;
  const outcome = phase.outcome.replace(/^monitor_/, '');
  return {
    kind: outcome === 'pass' ? 'permit' : (outcome as Kind),
    isMonitored: outcome !== phase.outcome,
  };
}

/** `deny`; with `mode: monitor` it is `would deny`. */
export function wordOf(kind: Kind, isMonitored: boolean): string {
  return isMonitored ? `would ${KIND_WORDS[kind]}` : KIND_WORDS[kind];
}

/** The slower of both calls, milliseconds. */
export function providerMs({ access, response }: Row): number | undefined {
  const [first, second] = [access?.providerMs, response?.providerMs];
  if (first === undefined) return second;
  return second === undefined ? first : Math.max(first, second);
}

function rank({ kind }: { kind: Kind }): number {
  return KINDS.indexOf(kind);
}
