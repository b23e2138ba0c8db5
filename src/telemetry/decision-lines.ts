/** Which decisions are worth a line on standard output, where it costs Kong's worker time even when Kong drops it. */
export const DECISION_LINES = ['all', 'changes', 'refusals'] as const;
export type DecisionLines = (typeof DECISION_LINES)[number];
