const REFERENCE = /^\{vault:\/\/env\/([a-z0-9_-]+)\}$/;

/**
 * Resolves `{vault://env/name}` in the fields of a configuration, as Kong does each time it starts an instance: hyphens become
 * underscores, letters upper case; what cannot be resolved arrives as an empty string, and `$refs` keeps the reference
 * (recorded).
 */
export function resolveReferences(
  config: Readonly<Record<string, unknown>>,
  isReferenceable: (field: string) => boolean,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): { config: Record<string, unknown>; refs: Record<string, string> } {
  const resolved: Record<string, unknown> = { ...config };
  const refs: Record<string, string> = {};
  for (const [field, value] of Object.entries(config)) {
    const name = typeof value === 'string' && isReferenceable(field) ? REFERENCE.exec(value)?.[1] : undefined;
    if (name === undefined) continue;
    resolved[field] = environment[name.replaceAll('-', '_').toUpperCase()] ?? '';
    refs[field] = String(value);
  }
  return { config: resolved, refs };
}
