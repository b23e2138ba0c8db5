import { setTimeout as pause } from 'node:timers/promises';
import { readJournal } from './evidence.js';
import type { Fault } from './fault.js';
import { CostWatch, HOSTILE_CLIENTS } from './hostile-clients.js';
import { type Answer, Load } from './load.js';
import { BODY_FAULTS, CLIENT_FAULTS, PROVIDER_FAULTS, UPSTREAM_FAULTS } from './neighbour-faults.js';
import { PROCESS_FAULTS, RELOAD_FAULTS, RESOURCE_FAULTS } from './server-faults.js';
import { type FaultStack, honest, type Phase } from './stack.js';

/** In the order in which the campaign injects them. */
export const ALL_FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...PROVIDER_FAULTS,
  ...UPSTREAM_FAULTS,
  ...BODY_FAULTS,
  ...RESOURCE_FAULTS,
  ...CLIENT_FAULTS,
  ...RELOAD_FAULTS,
  ...HOSTILE_CLIENTS,
];

export interface CampaignOptions {
  /** Requests under way at any time. */
  readonly concurrency: number;
  readonly lastsMs: number;
  readonly delayMs: number;
  readonly burst: number;
  /** After this time without recovery the fault counts as not survived. */
  readonly recoveryMs: number;
  /** So many good answers in a row, to requests that began after the fault, are a recovery. */
  readonly streak: number;
}

/** What one fault in one phase did. */
export interface FaultReport {
  readonly fault: string;
  readonly phase: Phase;
  readonly sent: number;
  /** How many answers had this status (or this error of the connection). */
  readonly statuses: ReadonlyMap<string, number>;
  readonly good: number;
  /** Requests in the upstream's journal that the policy did not permit: not at all, not changed as it wanted, not with this body. */
  readonly hitsWithoutPermit: number;
  /** Answers with an upstream's status, body or header that the policy did not let out. */
  readonly passedUnevaluated: number;
  /** Answers or kept states of another request. */
  readonly mixedUp: number;
  /** Upstream headers on Kong's own 500, which it writes when the plugin server dies in the response phase; the guard takes them off. */
  readonly kongLeaks: number;
  /** Milliseconds from the fault's end to the first of many good answers in a row; undefined: it did not come to that. */
  readonly recoveredMs: number | undefined;
  /** Of the largest worker of the plugin server while the fault lasted. */
  readonly rssMiB: number;
  /** Of the requests that began while it lasted, those of the fault itself left out. */
  readonly p99Ms: number;
  readonly limits: Fault['limits'];
}

let runs = 0;

/** Injects one fault under load. */
export async function runFault(
  stack: FaultStack,
  fault: Fault,
  phase: Phase,
  options: CampaignOptions,
): Promise<FaultReport> {
  const prefix = `f${++runs}${phase[0]}`;
  stack.behave(honest(phase, options.delayMs));
  const load = new Load({
    url: stack.kongUrl,
    stamps: stack.stamps,
    prefix,
    concurrency: options.concurrency,
    abortShare: 0,
    bigBodyEvery: 7,
  });
  let recoveredMs: number | undefined;
  let cost = { rssMiB: 0, p99Ms: 0 };
  try {
    if ((await streakAfter(load, 0, options)) === undefined) {
      throw new Error(
        `nothing works before the fault "${fault.name}": ${JSON.stringify(load.answers.slice(-3))}`,
      );
    }
    const watch = new CostWatch(stack, load);
    try {
      await fault.inject({ stack, load, phase, ...options });
    } finally {
      cost = watch.stop();
    }
    const lifted = performance.now();
    const start = await streakAfter(load, lifted, options);
    recoveredMs = start === undefined ? undefined : start - lifted;
  } finally {
    await load.stop();
  }
  // What a killed or closed connection left on its way has arrived by then.
  await pause(200);
  return { ...report(stack, fault, phase, prefix, load, recoveredMs), ...cost };
}

/** When the first of many good answers in a row began that were asked for after `since`; undefined when it takes too long. */
async function streakAfter(
  load: Load,
  since: number,
  { recoveryMs, streak: wanted }: CampaignOptions,
): Promise<number | undefined> {
  const deadline = performance.now() + recoveryMs;
  let seen = 0;
  let streak: Answer[] = [];
  while (performance.now() < deadline) {
    for (; seen < load.answers.length; seen++) {
      const answer = load.answers[seen];
      if (answer === undefined || answer.begun < since) continue;
      streak = answer.outcome === 'good' ? [...streak, answer] : [];
      if (streak.length === wanted) return Math.min(...streak.map(({ begun }) => begun));
    }
    await pause(5);
  }
  return undefined;
}

function report(
  stack: FaultStack,
  { name: fault, limits }: Fault,
  phase: Phase,
  prefix: string,
  { sent, answers }: Load,
  recoveredMs: number | undefined,
): Omit<FaultReport, 'rssMiB' | 'p99Ms'> {
  const policy = readJournal(stack.policyJournal, `${prefix}-`);
  const upstream = readJournal(stack.upstreamJournal, `${prefix}-`);
  const permitted = new Set(policy.get('permitted'));
  const hits = upstream.get('hit') ?? [];
  const statuses = new Map<string, number>();
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const count = (wanted: (answer: Answer) => boolean) => answers.filter(wanted).length;
  return {
    fault,
    phase,
    sent,
    statuses,
    good: count(({ outcome }) => outcome === 'good'),
    hitsWithoutPermit:
      hits.filter((id) => !permitted.has(id)).length +
      (upstream.get('hit-without-permit')?.length ?? 0) +
      (upstream.get('hit-with-another-body')?.length ?? 0),
    passedUnevaluated: count(({ outcome, leak }) => outcome === 'passed' || leak === 'ping-auth'),
    mixedUp: count(({ outcome }) => outcome === 'mixed') + (policy.get('mixed')?.length ?? 0),
    kongLeaks: count(({ leak }) => leak === 'kong'),
    recoveredMs,
    limits,
  };
}

/** Nothing passed, no header either, nothing was mixed up, it came back, and it did not cost others more than it may. */
export function isSurvived(one: FaultReport): boolean {
  const { hitsWithoutPermit, passedUnevaluated, mixedUp, kongLeaks, recoveredMs } = one;
  if (one.limits !== undefined && (one.rssMiB > one.limits.rssMiB || one.p99Ms > one.limits.p99Ms))
    return false;
  return hitsWithoutPermit + passedUnevaluated + mixedUp + kongLeaks === 0 && recoveredMs !== undefined;
}
