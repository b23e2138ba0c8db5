import { describe, expect, it } from 'vitest';
import {
  changedInRequest,
  changedInResponse,
  type DecisionRecord,
  decisionFields,
  decisionLevel,
  serializeValues,
} from './decision-log.js';

const headers = { set: new Map([['x-a', ['secret-1']]]), remove: ['x-b'] };

describe('decision line', () => {
  it('names what changed and shows no value', () => {
    const changed = changedInRequest({
      method: 'PUT',
      path: '/secret-2',
      query: 'q=secret-3',
      host: 'secret-4',
      headers,
      body: Buffer.from('secret-5'),
    });
    expect(changed).toEqual(['method', 'path', 'query', 'host', 'header:x-a', '-header:x-b', 'body']);
    expect(changedInResponse({ status: 403, headers, body: new Uint8Array() })).toEqual([
      'status',
      'header:x-a',
      '-header:x-b',
      'body',
    ]);
    const none = { set: new Map(), remove: [] };
    expect(changedInResponse({ status: undefined, headers: none, body: undefined })).toEqual([]);
  });

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

  it("reaches Kong's log plugins", () => {
    expect(
      serializeValues(record({ outcome: 'refuse', code: 'provider_timeout', providerMs: 10000.04 })),
    ).toEqual([
      ['ping_auth.decision', 'refuse'],
      ['ping_auth.provider_ms', 10000],
      ['ping_auth.error', 'provider_timeout'],
    ]);
    expect(serializeValues(record({ phase: 'response', outcome: 'pass' }))).toEqual([
      ['ping_auth.response.decision', 'pass'],
    ]);
  });
});
