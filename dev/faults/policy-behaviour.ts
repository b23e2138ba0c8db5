/** How the policy provider of the campaign behaves; can be changed while it runs. */
export interface PolicyBehaviour {
  /** Before each answer, by call. Requests gather where the delay is. */
  readonly delayMs: { readonly request: number; readonly response: number };
  /** Share of the answers that are lies, 0 to 1. */
  readonly lies: { readonly request: number; readonly response: number };
}

/** Where requests stand when a fault strikes. */
export type Phase = 'access' | 'response';

export function honest(phase: Phase, delayMs: number): PolicyBehaviour {
  return {
    delayMs: phase === 'access' ? { request: delayMs, response: 0 } : { request: 0, response: delayMs },
    lies: { request: 0, response: 0 },
  };
}
