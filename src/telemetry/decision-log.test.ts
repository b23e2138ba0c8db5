import { describe, expect, it } from 'vitest';
import { type DecisionRecord, decisionFields, decisionLevel } from './decision-log.js';

describe('decision line', () => {
  it('leaves out what there is not', () => {
    const fields = decisionFields({ phase: 'access', outcome: 'permit', changed: [], providerMs: 1.23456 });
    expect(JSON.parse(JSON.stringify(fields))).toEqual({
      event: 'decision',
      phase: 'access',
      decision: 'permit',
      provider_ms: 1.2,
    });
  });

  it('cannot be forged through a detail that quotes the client', () => {
    const fields = decisionFields({
      phase: 'access',
      outcome: 'refuse',
      detail: 'Host: a\n{"level":"info"}\u001b[2J',
    });
    expect(fields.detail).toBe('Host: a\\u000a{"level":"info"}\\u001b[2J');
  });

  const record = (more: Partial<DecisionRecord>): DecisionRecord => ({
    phase: 'access',
    outcome: 'permit',
    ...more,
  });
  it.each([
    ['info', record({})],
    ['info', record({ outcome: 'deny', status: 403 })],
    ['info', record({ outcome: 'refuse', code: 'http2_not_allowed' })],
    ['error', record({ outcome: 'refuse', code: 'provider_secret_refused' })],
    ['error', record({ outcome: 'fail_open', code: 'provider_unreachable' })],
    ['warn', record({ outcome: 'fail_open' })],
  ] as const)('is of level %s: %o', (level, of) => {
    expect(decisionLevel(of)).toBe(level);
  });
});
