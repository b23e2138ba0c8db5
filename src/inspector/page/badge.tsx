import { type Kind, wordOf } from './decision.js';

/** A decision as colour and word. */
export function Badge({ kind, isMonitored }: { kind: Kind; isMonitored: boolean }) {
  return <span class={`badge ${kind}${isMonitored ? ' monitored' : ''}`}>{wordOf(kind, isMonitored)}</span>;
}
