import { configWarnings } from '../../config/config-warnings.js';
import { isLoopback } from '../../config/formats.js';
import { parseConfig } from '../../config/parse-config.js';
import type { PluginConfig } from '../../config/schema.js';
import { asPingAuthError } from '../../errors/ping-auth-error.js';
import { portOf } from '../../http/request-url.js';
import { checkCalls } from './calls.js';
import type { EnvVault, PluginEntry } from './declarative-file.js';
import {
  type ConfigurationReport,
  type Finding,
  failed,
  ok,
  type ProviderReport,
  skipped,
  warning,
} from './finding.js';
import { guardFinding } from './guard.js';
import { mcpRecommendations } from './mcp/recommendations.js';
import { checkConnection, checkName, type Target } from './network.js';
import { productAt } from './product.js';
import { type Environment, resolveReferences } from './references.js';
import type { SampleRequest } from './sample.js';
import { checkTls } from './tls.js';

export interface CheckSetup {
  readonly environment: Environment;
  readonly vaults: readonly EnvVault[];
  /** Every post-function of the file; undefined when the configuration is from the command line. */
  readonly postFunctions: readonly PluginEntry[] | undefined;
  readonly sample: SampleRequest;
  /** Milliseconds for one connection; each call has the configuration's own deadline. */
  readonly timeoutMs: number;
}

/** Everything about one configuration of the plugin. Never throws for what is wrong with it. */
export async function checkConfiguration(
  entry: PluginEntry,
  setup: CheckSetup,
): Promise<ConfigurationReport> {
  const { config: raw, unresolved } = resolveReferences(entry.config, setup.environment, setup.vaults);
  const findings: Finding[] = [];
  if (!entry.enabled)
    findings.push(warning('configuration', 'the plugin is switched off here (enabled: false)'));
  for (const { field, problem } of unresolved) {
    findings.push(failed('configuration', `${field}: ${problem}`, remedyForReference(field)));
  }
  let config: PluginConfig;
  try {
    // A stand-in that fits, so that the other fields and the way to the provider are looked at all the same.
    const standIns = Object.fromEntries(unresolved.map(({ field }) => [field, standIn(field)]));
    config = parseConfig({ ...raw, ...standIns });
  } catch (thrown) {
    const problems = (asPingAuthError(thrown).detail ?? '').split(' | ');
    for (const problem of problems) {
      findings.push(
        failed('configuration', problem, 'Kong: correct this field in the configuration of the plugin.'),
      );
    }
    return { where: entry.where, findings, providers: [] };
  }
  for (const text of configWarnings(config)) findings.push(warning('configuration', text));
  findings.push(...mcpRecommendations(config));
  if (unresolved.length === 0) findings.push(ok('configuration', 'every field is valid'));
  if (setup.postFunctions !== undefined) findings.push(guardFinding(entry, setup.postFunctions));

  const providers: ProviderReport[] = [];
  for (const url of [config.service_url, ...config.failover_service_urls]) {
    if (unresolved.some(({ field }) => field === 'service_url')) break;
    const one = { ...config, service_url: url, failover_service_urls: [] };
    const lacksSecret = unresolved.some(({ field }) => field === 'shared_secret');
    providers.push(await checkProvider(one, setup, lacksSecret));
  }
  return { where: entry.where, findings, providers };
}

async function checkProvider(
  config: PluginConfig,
  setup: CheckSetup,
  lacksSecret: boolean,
): Promise<ProviderReport> {
  const url = new URL(config.service_url);
  const product = productAt(url);
  const isTls = url.protocol === 'https:';
  const target: Target = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: portOf(url),
  };
  const findings: Finding[] = [];
  const report = { url: config.service_url, findings };
  const isBlocked = () => findings.some(({ status }) => status === 'failed');

  findings.push(await checkName(target));
  if (!isBlocked()) findings.push(await checkConnection(target, product, setup.timeoutMs));
  if (!isBlocked()) findings.push(...(isTls ? await checkTls(target, config, product) : [plainText(target)]));
  if (isBlocked()) return report;
  if (lacksSecret) {
    findings.push(skipped('secret', 'no call was made, because the secret is not known here'));
    return report;
  }
  const calls = await checkCalls(config, product, setup.sample);
  findings.push(...calls.findings);
  return { ...report, ...(calls.latency && { latency: calls.latency }) };
}

function plainText({ host }: Target): Finding {
  return isLoopback(host)
    ? skipped('tls', 'http:// on this machine, no TLS')
    : warning(
        'tls',
        'no TLS: the secret and every request travel in plain text',
        'Kong: use https:// in service_url.',
      );
}

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

function remedyForReference(field: string): string {
  return field === 'shared_secret'
    ? 'Set that variable (it must be set for Kong, too), or name another that holds the secret with --secret-env.'
    : 'Set that variable for this command (it must be set for Kong, too).';
}
