import type { MetricsSnapshot } from './metrics.js';

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

/**
 * One page in Prometheus' text format from the snapshots of all worker processes: counters, histograms and most gauges
 * are added up; a circuit shows its worst state; event-loop lag is an average.
 */
export async function aggregateSnapshots(snapshots: readonly MetricsSnapshot[]): Promise<MetricsPage> {
  const { AggregatorRegistry } = (await import('prom-client')).default;
  const registry = AggregatorRegistry.aggregate(snapshots as unknown as object[]);
  return { contentType: registry.contentType, text: await registry.metrics() };
}
