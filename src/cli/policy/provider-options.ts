// Which policy provider a command asks, and with what: options that `check`, `test` and `replay` share.
import type { Command } from 'commander';
import { parseConfig } from '../../config/parse-config.js';
import type { PluginConfig } from '../../config/schema.js';
import { asPingAuthError } from '../../errors/ping-auth-error.js';
import { entryAt, readDeclarativeFile } from '../check/declarative-file.js';
import type { PluginEntry } from '../check/plugin-entry.js';
import { resolveEntry, SECRET_VARIABLE } from '../check/references.js';
import { readTextFile } from '../read-file.js';
import type { Terminal } from '../terminal.js';

/** Options that overrule fields of a configuration. */
export interface OverrideOptions {
  readonly serviceUrl?: string;
  readonly secretEnv?: string;
  readonly secretHeader?: string;
  readonly ca?: string;
}

export interface ProviderOptions extends OverrideOptions {
  readonly config?: string;
  readonly where?: string;
  readonly name: string;
}

export const SECRET_ENV_HELP = `environment variable that holds the shared secret (default: ${SECRET_VARIABLE}, where the configuration has no secret that can be read here)`;

/** Adds the options of `ProviderOptions`. */
export function withProviderOptions(command: Command): Command {
  return command
    .option('--config <file>', 'kong.yml, decK file or Kubernetes manifests with the configuration to use')
    .option(
      '--where <place>',
      "which of several configurations in it, as `check` names them: 'service orders', or 'service orders, route create'",
    )
    .option('--name <plugin>', 'name under which the plugin is configured there', 'ping-auth')
    .option('--service-url <url>', 'policy provider, instead of the one in --config or without it')
    .option('--secret-env <name>', SECRET_ENV_HELP)
    .option('--secret-header <name>', 'name of the header for the secret (without --config: CLIENT-TOKEN)')
    .option('--ca <file>', 'PEM file of trusted certificates, as ca_certificate');
}

/**
 * The configuration that the options name, references resolved from the environment.
 * @throws Error that says what is missing or wrong, never with a secret
 */
export async function readProvider(options: ProviderOptions, terminal: Terminal): Promise<PluginConfig> {
  const overrides = await readOverrides(options, terminal, options.config !== undefined);
  if (options.config === undefined) {
    requireProvider(options, overrides, '--config FILE');
    return checked(overrides);
  }
  const { entries, vaults } = readDeclarativeFile(
    await readTextFile(options.config, '--config'),
    options.name,
  );
  const entry = chooseEntry(entries, options.config, options);
  const given = { ...entry, config: { ...entry.config, ...overrides } };
  const resolved = resolveEntry(given, terminal.environment, vaults);
  if (resolved.unresolved.length > 0) {
    throw new Error(resolved.unresolved.map(({ field, problem }) => `${field}: ${problem}`).join('\n'));
  }
  return checked(resolved.config);
}

/** @throws Error when the options alone do not name a policy provider. @param file what would do as well */
export function requireProvider(
  { serviceUrl }: OverrideOptions,
  overrides: Readonly<Record<string, unknown>>,
  file: string,
): void {
  if (serviceUrl === undefined) throw new Error(`name ${file}, or a policy provider with --service-url`);
  if (overrides.shared_secret === undefined) {
    throw new Error(
      `put the secret into the environment variable ${SECRET_VARIABLE}, or name another one with --secret-env`,
    );
  }
}

/**
 * The fields that the options set.
 * @param hasFile whether a file has the configuration; its secret is only replaced if an option says so
 * @throws Error when a file or a variable that they name is not there
 */
export async function readOverrides(
  options: OverrideOptions,
  terminal: Terminal,
  hasFile: boolean,
): Promise<Record<string, unknown>> {
  const overrides: Record<string, unknown> = {};
  if (options.serviceUrl !== undefined) overrides.service_url = options.serviceUrl;
  if (options.secretHeader !== undefined) overrides.secret_header_name = options.secretHeader;
  if (options.ca !== undefined) overrides.ca_certificate = await readTextFile(options.ca, '--ca');
  if (options.secretEnv !== undefined) {
    const secret = terminal.environment[options.secretEnv];
    if (!secret) throw new Error(`--secret-env: the environment variable ${options.secretEnv} is not set`);
    overrides.shared_secret = secret;
  } else if (!hasFile && terminal.environment[SECRET_VARIABLE]) {
    overrides.shared_secret = terminal.environment[SECRET_VARIABLE];
  }
  return overrides;
}

function chooseEntry(
  entries: readonly PluginEntry[],
  file: string,
  { where, name }: ProviderOptions,
): PluginEntry {
  if (entries.length === 0) throw new Error(`no configuration of the plugin ${name} in ${file}`);
  if (where !== undefined) return entryAt(entries, where, file);
  const [entry] = entries;
  if (entry !== undefined && entries.length === 1) return entry;
  const there = entries.map((one) => `'${one.where}'`).join(', ');
  throw new Error(`${file} has several configurations; choose one with --where: ${there}`);
}

function checked(raw: unknown): PluginConfig {
  try {
    return parseConfig(raw);
  } catch (thrown) {
    const problems = (asPingAuthError(thrown).detail ?? '').split(' | ');
    throw new Error(`the configuration is not valid: ${problems.join('; ')}`);
  }
}
