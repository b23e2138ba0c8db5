import type { ProviderStatus } from '../../src/sideband/sideband-runtime.js';

/** A policy provider as the sideband client reports it: closed circuit, no connections, no calls. */
export function providerStatus(provider: string, more: Partial<ProviderStatus> = {}): ProviderStatus {
  return {
    provider,
    circuit: 'closed',
    secondsLeft: 0,
    ejected: false,
    connections: { open: 0, free: 0 },
    calls: { underWay: 0, queued: 0 },
    ...more,
  };
}
