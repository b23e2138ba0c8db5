import { startPolicyProvider } from '../../dev/policy-provider/server.js';
import { PingAuthPlugin } from '../../src/plugin/ping-auth-plugin.js';
import { useTelemetry } from '../../src/plugin/runtime.js';
import { SILENT_TELEMETRY } from '../../src/telemetry/telemetry.js';
import { type FakeKong, fakeKong, type RecordedCall } from '../../test/support/fake-kong.js';
import { SCENARIOS, type Scenario } from './scenarios.js';

/** PDK calls of one phase. */
export interface PhaseCount {
  readonly reads: number;
  readonly writes: number;
  /** How often the plugin waits for Kong's replies: for reads alone, our plugin server does not wait for a write's. */
  readonly roundTrips: number;
}

export interface ScenarioCount {
  readonly name: string;
  /** Whether kong/nginx/ping-auth-http.conf is in use. */
  readonly variable: boolean;
  readonly access: PhaseCount;
  /** undefined when the request ended in the access phase. */
  readonly response: PhaseCount | undefined;
}

const SECRET = 'bench-secret';

/**
 * Runs every scenario against the real plugin and a policy provider, once with the nginx variable and once without. Counted
 * is a request in the midst of many: an instance's first ones also find out what its Kong offers.
 */
export async function countCalls(): Promise<ScenarioCount[]> {
  useTelemetry(SILENT_TELEMETRY);
  const provider = await startPolicyProvider({ secret: SECRET });
  try {
    const counts: ScenarioCount[] = [];
    for (const variable of [true, false]) {
      for (const scenario of SCENARIOS) {
        provider.setRules(scenario.rules);
        counts.push(
          await count(scenario, variable, { service_url: provider.url, ca_certificate: provider.ca }),
        );
      }
    }
    return counts;
  } finally {
    await provider.close();
  }
}

async function count(scenario: Scenario, variable: boolean, where: object): Promise<ScenarioCount> {
  const plugin = new PingAuthPlugin(
    { ...where, shared_secret: SECRET, secret_header_name: 'CLIENT-TOKEN' },
    { kind: 'bench' },
  );
  try {
    let access = fakeKong(scenario.kong(variable));
    for (let request = 0; request < 3; request++) {
      access = fakeKong(scenario.kong(variable));
      await plugin.access(access.kong);
    }
    const requestContext = access.calls.find(([method]) => method === 'kong.ctx.shared.set')?.[2];
    if (requestContext === undefined)
      return { name: scenario.name, variable, access: phaseCount(access), response: undefined };
    const response = fakeKong({ ...scenario.kong(variable), 'kong.ctx.shared.get': requestContext });
    await plugin.response(response.kong);
    return { name: scenario.name, variable, access: phaseCount(access), response: phaseCount(response) };
  } finally {
    plugin.close();
  }
}

function phaseCount({ calls, roundTrips }: FakeKong): PhaseCount {
  const reads = calls.filter(isRead).length;
  return {
    reads,
    writes: calls.length - reads,
    roundTrips: roundTrips.filter((batch) => batch.some(isRead)).length,
  };
}

function isRead([method]: RecordedCall): boolean {
  return /\.get(_\w+)?$/.test(method);
}
