import { parseConfig } from '../../config/parse-config.js';
import type { PluginConfig } from '../../config/schema.js';
import { asPingAuthError } from '../../errors/ping-auth-error.js';
import type { Resolved } from './references.js';

export interface Validation {
  /** undefined when a field is wrong. Unresolved fields have a value of the right form in it, or are left out. */
  readonly config: PluginConfig | undefined;
  /** One sentence for each wrong field, its name in front. */
  readonly problems: readonly string[];
}

/** Checks a configuration as the plugin does when Kong hands it over, as far as its values are known here. */
export function validate({ config, unresolved }: Resolved): Validation {
  const fields = new Set(unresolved.map(({ field }) => field));
  // Both or none of them: the plugin checks that they belong together.
  if (fields.has('client_certificate')) fields.add('client_key');
  if (fields.has('client_key')) fields.add('client_certificate');
  const given: Record<string, unknown> = { ...config };
  for (const field of fields) given[field] = standIn(field);
  try {
    return { config: parseConfig(given), problems: [] };
  } catch (thrown) {
    const problems = (asPingAuthError(thrown).detail ?? '').split(' | ');
    return { config: undefined, problems };
  }
}

/** A value of the right form, so that the other fields are looked at all the same. */
function standIn(field: string): string | undefined {
  switch (field) {
    case 'service_url':
      return 'https://unresolved.invalid';
    case 'shared_secret':
      return 'unresolved';
    default:
      return undefined;
  }
}
