import { isJsonObject, parseJson } from '../../http/text.js';
import type { EnvVault } from './declarative-file.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Resolved {
  readonly config: Readonly<Record<string, unknown>>;
  /** Fields whose reference could not be resolved here, with the reason and what to do about it. */
  readonly unresolved: readonly { readonly field: string; readonly problem: string }[];
}

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
  const unresolved: { field: string; problem: string }[] = [];
  for (const [field, value] of Object.entries(config)) {
    resolved[field] = value;
    if (typeof value !== 'string') continue;
    const result = resolveText(value, environment, vaults);
    if ('problem' in result) {
      unresolved.push({ field, problem: result.problem });
      delete resolved[field];
    } else {
      resolved[field] = result.text;
    }
  }
  return { config: resolved, unresolved };
}

type Result = { readonly text: string } | { readonly problem: string };

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
      problem: `${reference} names a vault that cannot be asked from here; pass its value with --secret-env`,
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
