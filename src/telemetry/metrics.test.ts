import { describe, expect, it } from 'vitest';
import { providerStatus } from '../../test/support/provider-status.js';
import { aggregateSnapshots, createMetrics } from './metrics.js';

describe('metrics', () => {
  it('of several workers make one page: counts added up, a circuit at its worst', async () => {
    const snapshots = [];
    for (const state of ['open', 'closed'] as const) {
      const metrics = await createMetrics({ process: false });
      const provider = providerStatus('https://pa:3020', {
        circuit: state,
        connections: { open: 3, free: 3 },
      });
      metrics.watch({ eventsInFlight: () => 2 });
      metrics.watch({ providers: () => [provider] });
      metrics.decision({ phase: 'access', outcome: 'permit', providerMs: 4 });
      metrics.decision({
        phase: 'response',
        outcome: 'fail_open',
        code: 'provider_unreachable',
        providerMs: 40,
      });
      const counts = { events: 9, eventsFailed: 1, eventsRefused: 0, instancesUnknown: 0, protocolErrors: 0 };
      metrics.watch({ rpcCounts: () => counts });
      // What goes from a worker to its parent is JSON.
      snapshots.push(JSON.parse(JSON.stringify(await metrics.snapshot())));
    }
    const { text, contentType } = await aggregateSnapshots(snapshots);
    expect(contentType).toContain('text/plain');
    for (const line of [
      'ping_auth_decisions_total{phase="access",outcome="permit"} 2',
      'ping_auth_decisions_total{phase="access",outcome="deny"} 0',
      'ping_auth_fail_open_total{phase="response"} 2',
      'ping_auth_errors_total{phase="response",code="provider_unreachable"} 2',
      'ping_auth_circuit_state{provider="https://pa:3020"} 2',
      'ping_auth_connections{provider="https://pa:3020",state="idle"} 6',
      'ping_auth_events_in_flight 4',
      'ping_auth_rpc_events_total 18',
      'ping_auth_rpc_events_failed_total 2',
      'ping_auth_sideband_duration_seconds_bucket{le="0.005",phase="access"} 2',
      'ping_auth_sideband_duration_seconds_count{phase="access"} 2',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).not.toMatch(/outcome="pass".*phase="access"|phase="access",outcome="pass"/);
  });

  it('do not grow without bound with the providers of many configurations', async () => {
    const metrics = await createMetrics({ process: false });
    metrics.watch({
      providers: () => Array.from({ length: 500 }, (_, i) => providerStatus(`https://p${i}`)),
    });
    const { text } = await aggregateSnapshots([await metrics.snapshot()]);
    expect(text.match(/^ping_auth_circuit_state\{/gm)).toHaveLength(50);
  });

  it('forget a provider that is no longer there', async () => {
    let providers = [providerStatus('https://gone', { circuit: 'open' })];
    const metrics = await createMetrics({ process: false });
    metrics.watch({ providers: () => providers });
    await metrics.snapshot();
    providers = [];
    expect((await aggregateSnapshots([await metrics.snapshot()])).text).not.toContain('https://gone');
  });

  it('of the process and its event loop are there', async () => {
    const metrics = await createMetrics();
    const { text } = await aggregateSnapshots([await metrics.snapshot()]);
    expect(text).toMatch(/^process_resident_memory_bytes \d/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  });
});
