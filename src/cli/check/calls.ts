import type { PluginConfig } from '../../config/schema.js';
import { asPingAuthError, type PingAuthError } from '../../errors/ping-auth-error.js';
import type { RequestAnswer } from '../../sideband/messages.js';
import { createSidebandClient, type SidebandClient } from '../../sideband/sideband-client.js';
import { SidebandRuntime } from '../../sideband/sideband-runtime.js';
import { type Finding, failed, ok, type ProviderReport, warning } from './finding.js';
import type { Product } from './product.js';
import { type SampleRequest, samplePayload, sampleResponse } from './sample.js';

/** Enough for a median that one hiccup does not spoil. */
const WARM_CALLS = 5;
/** A call of this length is felt by every client, twice a request. */
const SLOW_MS = 250;

const MUTUAL_TLS =
  'The connection was accepted and then ended. Policy provider: look into its log. Kong: if it asks for client certificates, set client_certificate and client_key of the plugin.';

type Calls = Pick<ProviderReport, 'findings' | 'latency'>;

/**
 * Asks the policy with the plugin's own client, so that what is found here is what the plugin would meet: endpoint, secret,
 * decision, the call for the response, latency.
 * @param config of one provider, without failover
 */
export async function checkCalls(
  config: PluginConfig,
  product: Product,
  sample: SampleRequest,
): Promise<Calls> {
  const runtime = new SidebandRuntime();
  // A circuit would answer for the provider; here every call has to reach it.
  const client = createSidebandClient({ ...config, circuit_failures: 0 }, {}, runtime);
  try {
    return await ask(client, config, product, sample);
  } finally {
    client.release();
    await runtime.close();
  }
}

async function ask(
  client: SidebandClient,
  config: PluginConfig,
  product: Product,
  sample: SampleRequest,
): Promise<Calls> {
  const payload = samplePayload(sample);
  const askOnce = () =>
    client.evaluateRequest(JSON.stringify(payload), { requestId: `ping-auth-check-${Date.now()}` });
  let answer: RequestAnswer;
  let coldMs: number;
  try {
    const cold = await askOnce();
    answer = cold.answer;
    coldMs = cold.durationMs;
  } catch (thrown) {
    return { findings: refused(asPingAuthError(thrown), config, product, sample) };
  }
  const findings: Finding[] = [
    ok('endpoint', 'the Sideband API answers'),
    ok('secret', `the secret in ${config.secret_header_name} is accepted`),
    ok('decision', decisionText(answer, sample)),
  ];
  if (answer.kind === 'permit') {
    findings.push(await checkResponseCall(client, sampleResponse(payload, answer.state), product));
  }
  const warmMs = await warmLatency(askOnce);
  if (warmMs !== undefined) findings.push(latencyFinding(coldMs, warmMs));
  return { findings, ...(warmMs !== undefined && { latency: { coldMs, warmMs } }) };
}

function decisionText(answer: RequestAnswer, { method, url }: SampleRequest): string {
  const what = `${method} ${url.origin}${url.pathname}`;
  if (answer.kind === 'deny') return `${what} is denied with status ${answer.response.responseCode}`;
  return `${what} is permitted`;
}

async function checkResponseCall(
  client: SidebandClient,
  payload: string,
  product: Product,
): Promise<Finding> {
  try {
    const { answer } = await client.evaluateResponse(payload, {});
    return ok('response', `the call for responses works: 200 becomes ${answer.responseCode}`);
  } catch (thrown) {
    const error = asPingAuthError(thrown);
    return failed('response', `the call for responses fails: ${error.message}`, product.remedies.failing);
  }
}

/** Median of calls on a connection that is open already; undefined when one of them fails. */
async function warmLatency(askOnce: () => Promise<{ durationMs: number }>): Promise<number | undefined> {
  const durations: number[] = [];
  try {
    for (let i = 0; i < WARM_CALLS; i += 1) durations.push((await askOnce()).durationMs);
  } catch {
    return undefined;
  }
  return durations.sort((a, b) => a - b)[Math.floor(WARM_CALLS / 2)];
}

function latencyFinding(coldMs: number, warmMs: number): Finding {
  const text = `first call ${coldMs.toFixed(1)} ms, then ${warmMs.toFixed(1)} ms a call`;
  if (warmMs < SLOW_MS) return ok('latency', text);
  return warning(
    'latency',
    text,
    'Every request makes two of these calls. Place Kong and the policy provider closer to each other, or look for slow policies.',
  );
}

/** The answer is the same for a URL that the policy does not know and for a path where no Sideband API is. */
function unknownDefaultUrl(
  text: string,
  { service_url: base }: PluginConfig,
  sample: SampleRequest,
): Finding {
  return warning(
    'endpoint',
    `${text}; asked about ${asked(sample)}, which is not a URL of your API, so the secret and the decision were not checked`,
    `Name a URL that the policy protects with --url. If that is not known either, ${base} is not a Sideband API.`,
  );
}

function asked({ url }: SampleRequest): string {
  return `${url.origin}${url.pathname}`;
}

/** What an error of the first call says about each step on the way. */
function refused(
  error: PingAuthError,
  config: PluginConfig,
  product: Product,
  sample: SampleRequest,
): Finding[] {
  const { remedies } = product;
  const text = error.message;
  const endpoint = ok('endpoint', 'the Sideband API answers');
  switch (error.code) {
    case 'provider_secret_refused':
      return [endpoint, failed('secret', text, remedies.secret)];
    case 'provider_forbidden':
      return [endpoint, failed('secret', text, remedies.forbidden)];
    case 'provider_no_endpoint':
      return sample.isDefault
        ? [unknownDefaultUrl(text, config, sample)]
        : [failed('endpoint', `${text}; asked about ${asked(sample)}`, remedies.api)];
    case 'provider_not_json':
    case 'provider_unexpected_status':
      return [
        failed(
          'endpoint',
          text,
          `Something else answers at ${config.service_url}. Kong: correct host, port and path in service_url (PingAccess: the sideband port, 3020 unless changed, not the admin or engine port).`,
        ),
      ];
    case 'provider_rate_limited':
      return [
        endpoint,
        warning(
          'decision',
          text,
          `${product.name}: raise the rate limit of this gateway if this happens under normal load.`,
        ),
      ];
    case 'provider_answer_too_large':
      return [endpoint, failed('decision', text, 'Kong: raise max_sideband_response_bytes of the plugin.')];
    case 'provider_answer_invalid':
      return [
        failed(
          'decision',
          text,
          `${product.name}: something answers with JSON, but not in the form of the Sideband API; check service_url (Kong) and the version of the product.`,
        ),
      ];
    case 'provider_timeout':
      return [
        failed(
          'decision',
          text,
          `${product.name}: find out why the decision takes that long. Kong: or raise call_timeout_ms (or connection_timeout_ms) of the plugin.`,
        ),
      ];
    case 'provider_tls_failed':
    case 'provider_unreachable':
    case 'provider_connection_lost':
      // With TLS 1.3 a provider judges the client's certificate only after the handshake.
      return [
        failed('endpoint', text, config.client_certificate === undefined ? MUTUAL_TLS : remedies.failing),
      ];
    default:
      return [failed('decision', text, remedies.failing)];
  }
}
