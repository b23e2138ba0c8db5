/** What is looked at, in this order; a step that fails ends the ones that build upon it. */
const STEPS = [
  // At a running Kong (--admin-url).
  'kong',
  'plugin',
  'server',
  'manager',
  'scope',
  // Of an MCP server behind Kong (--mcp).
  'mcp',
  'challenge',
  'metadata',
  'issuer',
  'origin',
  'tools',
  // Of a configuration.
  'configuration',
  'guard',
  // Of a policy provider.
  'name',
  'connection',
  'tls',
  'endpoint',
  'secret',
  'decision',
  'response',
  'latency',
] as const;
export type Step = (typeof STEPS)[number];

/** `note`: a reminder that nothing makes go away, so it is no warning. `skipped`: not checked, or not checkable from here. */
export type Status = 'ok' | 'note' | 'warning' | 'failed' | 'skipped';

export interface Finding {
  readonly step: Step;
  readonly status: Status;
  /** What was found, one sentence. Never a secret. */
  readonly text: string;
  /** What to change, and in which product. */
  readonly remedy?: string | undefined;
}

/** Of one provider URL of one configuration. */
export interface ProviderReport {
  readonly url: string;
  readonly findings: readonly Finding[];
  readonly latency?: { readonly coldMs: number; readonly warmMs: number } | undefined;
}

export interface ConfigurationReport {
  /** Where it stands: `service orders, route create-order`. */
  readonly where: string;
  readonly findings: readonly Finding[];
  readonly providers: readonly ProviderReport[];
}

export function allFindings(report: ConfigurationReport): Finding[] {
  return [...report.findings, ...report.providers.flatMap((provider) => provider.findings)];
}

export const ok = (step: Step, text: string): Finding => ({ step, status: 'ok', text });
export const skipped = (step: Step, text: string): Finding => ({ step, status: 'skipped', text });
export const note = (step: Step, text: string, remedy?: string): Finding => ({
  step,
  status: 'note',
  text,
  remedy,
});
export const warning = (step: Step, text: string, remedy?: string): Finding => ({
  step,
  status: 'warning',
  text,
  remedy,
});
export const failed = (step: Step, text: string, remedy: string): Finding => ({
  step,
  status: 'failed',
  text,
  remedy,
});

/** What to do about a field that is wrong. */
export const CORRECT_THE_FIELD = 'Kong: correct this field in the configuration of the plugin.';
