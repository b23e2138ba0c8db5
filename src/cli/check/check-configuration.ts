import { configWarnings } from '../../config/config-warnings.js';
import { isLoopback } from '../../config/formats.js';
import type { PluginConfig } from '../../config/schema.js';
import { portOf } from '../../http/request-url.js';
import { checkCalls } from './calls.js';
import {
  CORRECT_THE_FIELD,
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
import type { EnvVault, PluginEntry } from './plugin-entry.js';
import { productAt } from './product.js';
import { type Environment, resolveEntry } from './references.js';
import type { SampleRequest } from './sample.js';
import { checkTls } from './tls.js';
import { validate } from './validation.js';

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
  const resolved = resolveEntry(entry, setup.environment, setup.vaults);
  const { unresolved } = resolved;
  const findings: Finding[] = [];
  if (!entry.enabled)
    findings.push(warning('configuration', 'the plugin is switched off here (enabled: false)'));
  for (const { field, problem } of unresolved) {
    findings.push(failed('configuration', `${field}: ${problem}`, remedyForReference(field)));
  }
  const { config, problems } = validate(resolved);
  for (const problem of problems) findings.push(failed('configuration', problem, CORRECT_THE_FIELD));
  if (config === undefined) return { where: entry.where, findings, providers: [] };
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

function remedyForReference(field: string): string {
  return field === 'shared_secret'
    ? 'Set that variable (it must be set for Kong, too), or put the secret into PING_AUTH_SECRET, or name another variable with --secret-env.'
    : 'Give this command the value, too: set the variable, or put the Secret into the file.';
}
