import { Command } from 'commander';
import { headerField, httpUrl, type PlacedUrl, placedUrl, wholeNumber } from '../option-values.js';
import {
  type OverrideOptions,
  readOverrides,
  requireProvider,
  SECRET_ENV_HELP,
} from '../policy/provider-options.js';
import { readTextFile } from '../read-file.js';
import { complain, EXIT, paintFor, type Terminal } from '../terminal.js';
import { type CheckSetup, checkConfiguration } from './check-configuration.js';
import { type DeclarativeFile, entriesAt, entryAt, readDeclarativeFile } from './declarative-file.js';
import type { ConfigurationReport } from './finding.js';
import type { AdminAccess } from './kong/admin-api.js';
import { checkKong } from './kong/check-kong.js';
import { checkMcp, type McpAccess, readMcpAccess } from './mcp/check-mcp.js';
import type { PluginEntry } from './plugin-entry.js';
import { hasFailed, reportAsJson, reportInWords } from './report.js';
import { SAMPLE_URL, type SampleRequest } from './sample.js';

interface Arguments extends OverrideOptions {
  readonly adminUrl?: URL;
  readonly adminTokenEnv?: string;
  readonly adminCa?: string;
  readonly mcp?: URL;
  readonly token?: string;
  readonly tokenEnv?: string;
  readonly name: string;
  readonly where: readonly string[];
  readonly url: readonly PlacedUrl[];
  readonly method: string;
  readonly header: readonly (readonly [string, string])[];
  readonly timeout: number;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly color?: boolean;
}

export function checkCommand(terminal: Terminal): Command {
  return new Command('check')
    .summary('verify the connection to the policy provider, and the plugin in a running Kong')
    .description(
      'Verifies every ping-auth configuration in FILE (kong.yml, a decK file, Kubernetes manifests), or the one given by options:\nfields, DNS, connection, TLS, endpoint, secret, a decision, latency. With --admin-url also a running Kong: whose plugin it\nruns, where, whether each configuration there is valid, and whether the guard is there. Makes a few harmless calls; changes\nnothing.',
    )
    .argument('[file]', 'declarative file, - for standard input')
    .option('--service-url <url>', 'policy provider, instead of the one in FILE or without a FILE')
    .option(
      '--where <place>',
      "only this configuration of FILE: 'service orders', 'service orders, route create'; can be repeated",
      (place: string, before: readonly string[]) => [...before, place],
      [],
    )
    .option('--secret-env <name>', SECRET_ENV_HELP)
    .option('--secret-header <name>', 'name of the header for the secret (without a FILE: CLIENT-TOKEN)')
    .option('--ca <file>', 'PEM file of trusted certificates, as ca_certificate')
    .option('--admin-url <url>', 'Admin API of a running Kong, http://127.0.0.1:8001', httpUrl)
    .option(
      '--admin-token-env <name>',
      'environment variable that holds a token for it (default: KONG_ADMIN_TOKEN, if that is set)',
    )
    .option('--admin-ca <file>', 'PEM file of trusted certificates for it')
    .option(
      '--mcp <url>',
      'MCP endpoint of a gateway: follow the steps of a client from the 401 to the list of tools',
      httpUrl,
    )
    .option('--token-env <name>', 'environment variable that holds an access token for it')
    .option('--token <token>', 'the access token itself; other users of this machine can see it')
    .option('--name <plugin>', 'name under which the plugin is configured', 'ping-auth')
    .option(
      '--url <url>',
      `URL of the API request to ask the policy about (default: ${SAMPLE_URL}), for one configuration 'service orders=https://…'; can be repeated`,
      placedUrl,
      [],
    )
    .option('--method <method>', 'its method', 'GET')
    .option('--header <name:value>', 'one of its headers; can be repeated', headerField, [])
    .option(
      '--timeout <ms>',
      'milliseconds for a connection, or a call to Kong',
      wholeNumber(1, 60_000),
      5000,
    )
    .option('--strict', 'exit with 1 for warnings, too')
    .option('--json', 'print the result as JSON')
    .option('--color', 'colours even when the output is not a terminal')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      '\nExit codes: 0 passed (warnings are possible), 1 something failed (with --strict: or there is a warning), 2 wrong usage or an unreadable file, 3 no configuration found.',
    )
    .action(async (file: string | undefined, options: Arguments) => {
      terminal.exitCode(await check(file, options, terminal));
    });
}

async function check(file: string | undefined, options: Arguments, terminal: Terminal): Promise<number> {
  let found: Found;
  let overrides: Record<string, unknown>;
  let admin: AdminAccess | undefined;
  let mcp: McpAccess | undefined;
  let sampleFor: SampleFor;
  try {
    overrides = await readOverrides(options, terminal, file !== undefined);
    found = await readEntries(file, options, overrides);
    sampleFor = samples(found.entries, options);
    admin = await readAdminAccess(options, terminal);
    mcp = readMcpAccess(options, terminal);
  } catch (thrown) {
    return complain(terminal, 'check', thrown);
  }
  if (found.entries.length === 0 && (file !== undefined || (admin === undefined && mcp === undefined))) {
    terminal.stderr.write(`ping-auth check: no configuration of the plugin ${options.name} in ${file}\n`);
    return EXIT.nothingToCheck;
  }
  const setup: Omit<CheckSetup, 'sample'> = {
    environment: terminal.environment,
    vaults: found.vaults,
    postFunctions: found.postFunctions,
    timeoutMs: options.timeout,
  };
  const reports: ConfigurationReport[] = [];
  if (admin !== undefined) reports.push(await checkKong(admin, options.name, terminal.environment));
  for (const entry of found.entries) {
    const sample = sampleFor(entry);
    reports.push(await checkConfiguration(overridden(entry, overrides), { ...setup, sample }));
  }
  if (mcp !== undefined) reports.push(await checkMcp(mcp));
  const paint = paintFor(terminal.stdout, terminal.environment, options.color);
  const isStrict = options.strict === true;
  terminal.stdout.write(
    options.json ? reportAsJson(reports, isStrict) : reportInWords(reports, isStrict, paint),
  );
  return hasFailed(reports, isStrict) ? EXIT.failed : EXIT.ok;
}

type SampleFor = (entry: PluginEntry) => SampleRequest;
type Found = DeclarativeFile & Pick<CheckSetup, 'postFunctions'>;

async function readEntries(
  file: string | undefined,
  options: Arguments,
  overrides: Readonly<Record<string, unknown>>,
): Promise<Found> {
  if (file !== undefined) {
    const text = await readTextFile(file);
    const { entries: postFunctions } = readDeclarativeFile(text, 'post-function');
    const { entries, vaults } = readDeclarativeFile(text, options.name);
    const chosen = new Set(options.where.map((place) => entryAt(entries, place, file)));
    return {
      entries: chosen.size === 0 ? entries : entries.filter((entry) => chosen.has(entry)),
      vaults,
      postFunctions,
    };
  }
  if (options.where.length > 0)
    throw new Error('--where names a configuration of a FILE: name the FILE, too');
  if (options.serviceUrl === undefined) {
    if (options.adminUrl !== undefined || options.mcp !== undefined)
      return { entries: [], vaults: [], postFunctions: undefined };
    throw new Error(
      'name a FILE, a policy provider with --service-url, a running Kong with --admin-url, or an MCP endpoint with --mcp',
    );
  }
  requireProvider(options, overrides, 'a FILE');
  return {
    entries: [{ where: 'from the command line', enabled: true, config: {} }],
    vaults: [],
    postFunctions: undefined,
  };
}

async function readAdminAccess(options: Arguments, terminal: Terminal): Promise<AdminAccess | undefined> {
  const { adminUrl, adminTokenEnv, adminCa, timeout } = options;
  if (adminUrl === undefined) {
    if (adminTokenEnv === undefined && adminCa === undefined) return undefined;
    throw new Error('--admin-token-env and --admin-ca need --admin-url');
  }
  const token = terminal.environment[adminTokenEnv ?? 'KONG_ADMIN_TOKEN'];
  if (adminTokenEnv !== undefined && !token) {
    throw new Error(`--admin-token-env: the environment variable ${adminTokenEnv} is not set`);
  }
  const ca = adminCa === undefined ? undefined : await readTextFile(adminCa, '--admin-ca');
  return { url: adminUrl, token: token || undefined, ca, timeoutMs: timeout };
}

/** Which request the policy is asked about for each configuration. @throws Error when a place in --url names none or several */
function samples(entries: readonly PluginEntry[], options: Arguments): SampleFor {
  const { method, header: headers } = options;
  const urls = new Map<PluginEntry, URL>();
  let forAll: URL | undefined;
  for (const { place, url } of options.url) {
    if (place === undefined) {
      forAll = url;
      continue;
    }
    const [entry, ...others] = entriesAt(entries, place);
    const there = entries.map(({ where }) => `'${where}'`).join(', ');
    if (entry === undefined || others.length > 0) {
      const count = entry === undefined ? 'no configuration' : 'several configurations';
      throw new Error(`--url: ${count} at '${place}'; there are ${there}`);
    }
    urls.set(entry, url);
  }
  return (entry) => {
    const url = urls.get(entry) ?? forAll;
    return { method, headers, url: url ?? new URL(SAMPLE_URL), isDefault: url === undefined };
  };
}

function overridden(entry: PluginEntry, overrides: Record<string, unknown>): PluginEntry {
  return { ...entry, config: { ...entry.config, ...overrides } };
}
