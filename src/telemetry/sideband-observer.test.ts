import { describe, expect, it } from 'vitest';
import { providerStatus } from '../../test/support/provider-status.js';
import { createLog } from './logger.js';
import { aggregateSnapshots, createMetrics } from './metrics.js';
import { createTelemetry } from './telemetry.js';

async function setUp() {
  const lines: string[] = [];
  const log = createLog({ output: { write: (line) => void lines.push(line) } });
  const metrics = await createMetrics({ process: false });
  const { sideband } = createTelemetry(log, metrics);
  const page = async () => (await aggregateSnapshots([await metrics.snapshot()])).text;
  return { sideband, metrics, page, records: () => lines.map((line) => JSON.parse(line)) };
}

describe('what the sideband client reports', () => {
  it('makes a line and a count of a failover', async () => {
    const { sideband, page, records } = await setUp();
    const failed = {
      phase: 'request',
      provider: 'https://a',
      code: 'provider_unreachable',
      detail: 'gone\n',
    } as const;
    sideband.providerFailed?.({ ...failed, next: 'https://b' });
    expect(records()).toMatchObject([
      { level: 'warn', phase: 'access', provider: 'https://a', next: 'https://b', detail: 'gone\\u000a' },
    ]);
    expect(await page()).toContain('ping_auth_sideband_retries_total{reason="failover"} 1');
  });

  it('leaves the last failure to the decision line', async () => {
    const { sideband, page, records } = await setUp();
    sideband.providerFailed?.({
      phase: 'response',
      provider: 'https://a',
      code: 'provider_timeout',
      detail: '',
      next: undefined,
    });
    expect(records()).toEqual([]);
    expect(await page()).toContain('ping_auth_sideband_retries_total{reason="failover"} 0');
  });

  it('makes a line of a circuit that changes, a count of a stale connection', async () => {
    const { sideband, page, records } = await setUp();
    sideband.circuitChanged?.({ provider: 'https://a', from: 'closed', to: 'open', secondsLeft: 10 });
    sideband.circuitChanged?.({ provider: 'https://a', from: 'open', to: 'closed', secondsLeft: 0 });
    sideband.staleConnection?.({ phase: 'request', provider: 'https://a' });
    expect(records()).toMatchObject([
      { level: 'warn', to: 'open', seconds_left: 10 },
      { level: 'info', to: 'closed' },
    ]);
    expect(await page()).toContain('ping_auth_sideband_retries_total{reason="stale_connection"} 1');
  });

  it('gives the gauges their readings', async () => {
    const { metrics, page } = await setUp();
    const provider = providerStatus('https://a', {
      circuit: 'rate_limited',
      connections: { open: 5, free: 2 },
      calls: { underWay: 3, queued: 7 },
    });
    metrics.watch({ providers: () => [provider] });
    const text = await page();
    for (const line of [
      'ping_auth_circuit_state{provider="https://a"} 3',
      'ping_auth_connections{provider="https://a",state="active"} 3',
      'ping_auth_connections{provider="https://a",state="idle"} 2',
      'ping_auth_connections{provider="https://a",state="pending"} 7',
    ]) {
      expect(text).toContain(line);
    }
  });
});
