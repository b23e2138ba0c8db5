import { type Finding, ok, warning } from './finding.js';
import type { PluginEntry } from './plugin-entry.js';

/** `own` is for our plugin server, `stock` for kong-js-pluginserver (kong/guard/README.md). */
export type Guard = 'own' | 'stock';

/** The comment by which a text of kong/guard/ is recognised wherever it was pasted. That of the stock server comes first: it holds the other one, too. */
const MARKS: readonly (readonly [Guard, mark: string])[] = [
  ['stock', '-- ping-auth guard: header_filter'],
  ['own', '-- ping-auth guard: own 500'],
];

export const GUARD_FILES: Readonly<Record<Guard, string>> = {
  own: 'kong/guard/own-server.yml',
  stock: 'kong/guard/kong.yml (stock plugin server)',
};

/** The guard in a configuration of post-function. */
export function guardIn(config: Readonly<Record<string, unknown>>): Guard | undefined {
  const { header_filter: texts } = config;
  const code = Array.isArray(texts) ? texts.filter((text) => typeof text === 'string').join('\n') : '';
  return MARKS.find(([, mark]) => code.includes(mark))?.[0];
}

export const WITHOUT_OWN_GUARD =
  "if the plugin server dies while it evaluates a response, Kong's own 500 has the upstream's headers and cookies";
export const OWN_GUARD_REMEDY =
  'Kong: add the post-function of kong/guard/own-server.yml where ping-auth is (for the stock kong-js-pluginserver that of kong/guard/kong.yml). A plugin server with --phases access needs none.';
export const SHADOWED_GUARD_REMEDY =
  'Kong runs one post-function for a request, the most specific one: put the text of the guard in front of its own there.';

/**
 * Whether a declarative file puts a guard where it configures the plugin. Of which host is not asked: kong.conf says that.
 * @param functions every post-function of the file
 */
export function guardFinding({ where }: PluginEntry, functions: readonly PluginEntry[]): Finding {
  const enabled = functions.filter((one) => one.enabled);
  // Which objects a manifest belongs to, annotations elsewhere say.
  if (/^Kong(Cluster)?Plugin /.test(where)) {
    return enabled.some(isGuard) ? ok('guard', 'a guard is among the manifests') : missing();
  }
  const places = placesOf(where);
  const [applied] = enabled
    .filter((one) => placesOf(one.where).every((place) => places.includes(place)))
    .sort((a, b) => placesOf(b.where).length - placesOf(a.where).length);
  const narrower = enabled.filter(
    (one) => one !== applied && !isGuard(one) && places.every((place) => placesOf(one.where).includes(place)),
  );
  if (applied === undefined || (!isGuard(applied) && !enabled.some(isGuard))) return missing();
  const others = isGuard(applied) ? narrower : [applied, ...narrower];
  if (others.length === 0) return ok('guard', `the guard is there (${applied.where})`);
  return warning(
    'guard',
    `another post-function instead of the guard (${others.map((one) => one.where).join('; ')}): ${WITHOUT_OWN_GUARD}`,
    SHADOWED_GUARD_REMEDY,
  );
}

function missing(): Finding {
  return warning('guard', `no guard: ${WITHOUT_OWN_GUARD}`, OWN_GUARD_REMEDY);
}

function isGuard({ config }: PluginEntry): boolean {
  return guardIn(config) !== undefined;
}

/** `service orders, route create` is two of them, `global` none. */
function placesOf(where: string): string[] {
  return where === 'global' ? [] : where.split(', ');
}
