// Apart from field.ts, because the published types of the plugin reach it and name no library's types.

/** A Lua pattern (not a regular expression) with the sentence an admin reads when it is violated. */
export interface KongPattern {
  readonly pattern: string;
  readonly err: string;
}

/** The part of Kong's schema language that this plugin uses; all of it is accepted by Kong 3.9.3 (recorded). */
export interface KongField {
  readonly type: 'string' | 'integer' | 'boolean' | 'array';
  /** 10 to 500 characters, or Kong refuses to start. Kong Manager shows it as a tooltip. */
  readonly description?: string;
  readonly required?: boolean;
  readonly default?: string | number | boolean | readonly string[];
  readonly referenceable?: boolean;
  readonly encrypted?: boolean;
  readonly one_of?: readonly string[];
  readonly not_one_of?: readonly number[];
  readonly gt?: number;
  readonly between?: readonly [number, number];
  readonly len_max?: number;
  readonly match_all?: readonly KongPattern[];
  readonly match_none?: readonly KongPattern[];
  readonly elements?: KongField;
}
