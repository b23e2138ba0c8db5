import type { Policy, RequestOutcome, ResponseOutcome } from '../policy/ask-policy.js';
import type { PolicyCase } from './case-file.js';
import { type Mismatch, requestMismatches, responseMismatches } from './expectation.js';

/** What became of one of the two messages, for people. */
export interface Shown {
  readonly title: string;
  readonly before: { readonly label: string; readonly text: string };
  readonly after: { readonly label: string; readonly text: string };
}

export interface CaseResult {
  readonly case: PolicyCase;
  /** `error`: the policy could not be asked, or its answer cannot be used, and nobody expected that. */
  readonly status: 'passed' | 'failed' | 'error' | 'skipped' | 'not asked';
  /** About the request, or about the response; empty unless failed. */
  readonly mismatches: readonly Mismatch[];
  /** Of the message with the mismatches. */
  readonly shown: Shown | undefined;
  /** Of an error: why there is no decision. */
  readonly problem: string | undefined;
  /** Of an error: that of docs/errors.md. */
  readonly code?: string;
  readonly durationMs: number;
}

/** No connection, or none that can be trusted: it would be the same for each case. */
const NO_CONNECTION: ReadonlySet<string> = new Set(['provider_unreachable', 'provider_tls_failed']);

/**
 * Asks about all cases, `jobs` at a time, until the provider cannot be reached; what is left is then not asked about. `onResult` is
 * called as each is done; the list is in the order of the cases.
 */
export async function runCases(
  cases: readonly PolicyCase[],
  policy: Policy,
  jobs: number,
  onResult: (result: CaseResult) => void,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  const queue = cases.entries();
  let isReachable = true;
  const work = async () => {
    for (const [index, one] of queue) {
      let result = isReachable ? await runCase(one, policy, `ping-auth-test-${index + 1}`) : notAsked(one);
      if (result.code !== undefined && NO_CONNECTION.has(result.code)) {
        // Cases that were asked about at the same time fail alike.
        if (!isReachable) result = notAsked(one);
        isReachable = false;
      }
      results[index] = result;
      onResult(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, cases.length) }, work));
  return results;
}

function notAsked(one: PolicyCase): CaseResult {
  return {
    case: one,
    status: 'not asked',
    mismatches: [],
    shown: undefined,
    problem: undefined,
    durationMs: 0,
  };
}

async function runCase(one: PolicyCase, policy: Policy, requestId: string): Promise<CaseResult> {
  const start = performance.now();
  const result = (
    status: CaseResult['status'],
    more: Partial<Pick<CaseResult, 'mismatches' | 'shown' | 'problem' | 'code'>> = {},
  ): CaseResult => ({
    ...{ case: one, status, mismatches: [], shown: undefined, problem: undefined, ...more },
    durationMs: performance.now() - start,
  });
  if (one.skip) return result('skipped');

  const outcome = await policy.evaluateRequest(one.request, requestId);
  if (outcome.kind === 'refuse' && one.expected.decision !== 'refuse') {
    return result('error', { problem: `request: ${errorResponseInWords(outcome)}`, code: outcome.code });
  }
  const mismatches = requestMismatches(one.expected, outcome);
  if (mismatches.length > 0) return result('failed', { mismatches, shown: shownRequest(outcome) });
  if (one.response === undefined || outcome.kind !== 'permit') return result('passed');

  const second = await policy.evaluateResponse(one.response, outcome, requestId);
  if (second.kind === 'refuse' && one.expectedResponse.decision !== 'refuse') {
    return result('error', { problem: `response: ${errorResponseInWords(second)}`, code: second.code });
  }
  const others = responseMismatches(one.expectedResponse, second);
  if (others.length === 0) return result('passed');
  return result('failed', {
    mismatches: others.map((mismatch) => ({ ...mismatch, what: `response ${mismatch.what}` })),
    shown: shownResponse(second),
  });
}

function shownRequest(outcome: RequestOutcome): Shown | undefined {
  if (outcome.kind === 'refuse') return undefined;
  if (outcome.kind === 'deny') {
    const { response } = outcome;
    return {
      title: `the request is denied with status ${response.status}`,
      before: { label: 'nothing', text: '' },
      after: { label: 'what the client gets', text: response.lines },
    };
  }
  return {
    title: `the request is permitted${changesInWords(outcome.changed)}`,
    before: { label: 'what the client sent', text: outcome.before.lines },
    after: { label: 'what the upstream gets', text: outcome.after.lines },
  };
}

function shownResponse(outcome: ResponseOutcome): Shown | undefined {
  if (outcome.kind === 'refuse') return undefined;
  return {
    title: `the response goes out${changesInWords(outcome.changed)}`,
    before: { label: 'what the upstream sent', text: outcome.before.lines },
    after: { label: 'what the client gets', text: outcome.after.lines },
  };
}

function changesInWords(changed: readonly string[]): string {
  return changed.length === 0 ? ', nothing changed' : `, changed: ${changed.join(', ')}`;
}

function errorResponseInWords({
  code,
  status,
  message,
}: Extract<RequestOutcome, { kind: 'refuse' }>): string {
  return `refused with ${status}, code ${code}: ${message}`;
}
