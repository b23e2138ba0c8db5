import { isJsonObject, parseJson } from '../../http/text.js';
import type { EnvVault, Unresolved } from './plugin-entry.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Resolved {
  readonly config: Readonly<Record<string, unknown>>;
  readonly unresolved: readonly Unresolved[];
}

/** The default of `--secret-env`: the variable that `{vault://env/ping-auth-secret}` means. */
export const SECRET_VARIABLE = 'PING_AUTH_SECRET';

const VAULT = /^\{vault:\/\/([\w-]+)\/([^/?}]+)(?:\/([^?}]+))?(?:\?([^}]*))?\}$/;
const DECK_ENV = /\$\{\{\s*env\s+"([^"]+)"\s*\}\}/g;

/**
 * Puts values in the place of `{vault://env/…}` references and of decK's `${{ env "DECK_…" }}`, as Kong and decK would do
 * on this machine. Other vaults cannot be asked from here.
 */
export function resolveReferences(
  config: Readonly<Record<string, unknown>>,
  environment: Environment,
  vaults: readonly EnvVault[],
): Resolved {
  const resolved: Record<string, unknown> = {};
  const unresolved: Unresolved[] = [];
  for (const [field, value] of Object.entries(config)) {
    resolved[field] = value;
    if (typeof value !== 'string') continue;
    const result = resolveText(value, environment, vaults);
    if ('problem' in result) {
      unresolved.push({ field, ...result });
      delete resolved[field];
    } else {
      resolved[field] = result.text;
    }
  }
  return { config: resolved, unresolved };
}

/**
 * An entry with its references resolved. Where the secret cannot be (another vault, a Secret that is not in the file), it is the
 * one in `PING_AUTH_SECRET`.
 */
export function resolveEntry(
  entry: { readonly config: Resolved['config']; readonly unresolved?: readonly Unresolved[] },
  environment: Environment,
  vaults: readonly EnvVault[],
): Resolved {
  const { config, unresolved } = resolveReferences(entry.config, environment, vaults);
  const all = [...(entry.unresolved ?? []).filter(({ field }) => !(field in entry.config)), ...unresolved];
  const secret = environment[SECRET_VARIABLE];
  const isElsewhere = all.some((one) => one.field === 'shared_secret' && one.isElsewhere === true);
  if (!secret || !isElsewhere) return { config, unresolved: all };
  return {
    config: { ...config, shared_secret: secret },
    unresolved: all.filter(({ field }) => field !== 'shared_secret'),
  };
}

type Result = { readonly text: string } | Omit<Unresolved, 'field'>;

function resolveText(value: string, environment: Environment, vaults: readonly EnvVault[]): Result {
  const vault = VAULT.exec(value);
  if (vault) return resolveVault(value, vault, environment, vaults);
  const missing: string[] = [];
  const text = value.replaceAll(DECK_ENV, (_, name: string) => {
    const found = environment[name];
    if (found === undefined) missing.push(name);
    return found ?? '';
  });
  if (missing.length > 0) return { problem: `environment variable ${missing.join(', ')} is not set here` };
  return { text };
}

function resolveVault(
  reference: string,
  [, name = '', resource = '', key, query = '']: RegExpExecArray,
  environment: Environment,
  vaults: readonly EnvVault[],
): Result {
  const declared = vaults.find((vault) => vault.name === name);
  if (name !== 'env' && !declared) {
    return {
      problem: `${reference} names a vault that cannot be asked from here; put its value into ${SECRET_VARIABLE}, or name another variable with --secret-env`,
      isElsewhere: true,
    };
  }
  const prefix = new URLSearchParams(query).get('prefix') ?? declared?.prefix ?? '';
  // Kong's environment vault: upper case, hyphens become underscores.
  const variable = `${prefix}${resource}`.replaceAll('-', '_').toUpperCase();
  const value = environment[variable];
  if (value === undefined || value === '') {
    return { problem: `${reference} means the environment variable ${variable}, which is not set here` };
  }
  if (key === undefined) return { text: value };
  const member = memberOf(value, key);
  return member === undefined
    ? {
        problem: `${reference}: the environment variable ${variable} is not a JSON object with a string "${key}"`,
      }
    : { text: member };
}

function memberOf(json: string, key: string): string | undefined {
  const value = parseJson(json);
  const member = isJsonObject(value) ? value[key] : undefined;
  return typeof member === 'string' ? member : undefined;
}
