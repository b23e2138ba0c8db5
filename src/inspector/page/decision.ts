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

export interface Verdict {
  readonly kind: Kind;
  readonly isMonitored: boolean;
  /** False while no decision line has come: then nothing else is. */
  readonly isKnown: boolean;
  readonly status: number | undefined;
  readonly code: string | undefined;
}

const VERDICTS = new WeakMap<Row, Verdict>();

/** Both phases in one: the one that matters more decides. */
export function verdictOf(row: Row): Verdict {
  const known = VERDICTS.get(row);
  if (known !== undefined) return known;
  const made = verdictOfPhases(row);
  VERDICTS.set(row, made);
  return made;
}

function verdictOfPhases({ access, response }: Row): Verdict {
  const [first, second] = [phaseVerdict(access), phaseVerdict(response)];
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

export function phaseVerdict(phase: RowPhase | undefined): { kind: Kind; isMonitored: boolean } | undefined {
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
