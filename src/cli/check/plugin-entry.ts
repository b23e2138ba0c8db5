/** One place in a declarative file where the plugin is configured. */
export interface PluginEntry {
  /** `global`, `service orders`, `service orders, route create`, `KongPlugin default/ping-auth`. */
  readonly where: string;
  readonly enabled: boolean;
  /** As written: references not resolved. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Fields whose value stands somewhere else than in this file. */
  readonly unresolved?: readonly Unresolved[];
}

/** A `vaults` entry: Kong lets admins give the environment another name and a prefix. */
export interface EnvVault {
  readonly name: string;
  readonly prefix: string;
}

/** A field whose value is not known here, and why. */
export interface Unresolved {
  readonly field: string;
  readonly problem: string;
  /** No variable of the environment is meant: another vault, a Secret of the cluster. */
  readonly isElsewhere?: boolean;
}
