import { configWarnings } from '../../../config/config-warnings.js';
import { CORRECT_THE_FIELD, type Finding, failed, ok, skipped, warning } from '../finding.js';
import { type Environment, resolveReferences } from '../references.js';
import { validate } from '../validation.js';
import type { Scope } from './scopes.js';

/** How tools and control planes write a value that they do not show. */
const MASKED = /^(\*+|<?\[?(redacted|hidden|masked)\]?>?)$/i;

/**
 * The plugin's own validation of a configuration as the Admin API shows it. Kong checks less: what it accepts may still be
 * `config_invalid` to the plugin, which then refuses every request.
 */
export function configurationFindings({ plugin, where }: Scope, environment: Environment): Finding[] {
  const { config, unresolved } = resolveReferences(plugin.config, environment, []);
  const masked = Object.entries(plugin.config)
    .filter(([, value]) => typeof value === 'string' && MASKED.test(value))
    .map(([field]) => ({ field, problem: `${field}: the Admin API does not show its value` }));
  const references = referencesIn(plugin.config);
  const unknown = [...unresolved, ...masked];
  // A list with references in it: Kong resolves each of them.
  const lists = references
    .filter(({ field }) => Array.isArray(plugin.config[field]))
    .map(({ field, reference }) => ({ field, problem: `${field}: ${reference}` }));
  const validation = validate({ config, unresolved: [...unknown, ...lists] });

  const findings = validation.problems.map((problem) => {
    const text = `${where}: ${problem}`;
    if (!plugin.enabled) return warning('configuration', text, CORRECT_THE_FIELD);
    // Kong's environment may be another one than that of this command.
    if (references.some(({ field }) => problem.startsWith(`${field}:`))) {
      return warning(
        'configuration',
        `${text} (with the value that its vault reference has here)`,
        'Kong: if its environment has the same value, correct it there.',
      );
    }
    return failed(
      'configuration',
      text,
      `${CORRECT_THE_FIELD} Until then every request there gets 500 (config_invalid).`,
    );
  });
  if (validation.config !== undefined) {
    for (const text of configWarnings(validation.config))
      findings.push(warning('configuration', `${where}: ${text}`));
    const fields = unknown.length + lists.length === 0 ? 'field' : 'other field';
    findings.push(ok('configuration', `${where}: every ${fields} is valid`));
  }
  for (const { field } of [...unknown, ...lists]) {
    const reference = references.find((one) => one.field === field)?.reference;
    const why =
      reference === undefined ? 'the Admin API does not show it' : `only Kong can resolve ${reference}`;
    findings.push(skipped('configuration', `${where}: the value of ${field} was not checked: ${why}`));
  }
  return findings;
}

function referencesIn(
  config: Readonly<Record<string, unknown>>,
): readonly { readonly field: string; readonly reference: string }[] {
  return Object.entries(config).flatMap(([field, value]) =>
    [value]
      .flat()
      .filter((one): one is string => typeof one === 'string' && /^\{vault:\/\/.*\}$/s.test(one))
      .map((reference) => ({ field, reference })),
  );
}
