import { describe, expect, it } from 'vitest';
import { permit } from '../../test/model/messages.js';
import { accessPhase, fakeGateway, fakeInstance, REQUEST } from '../../test/support/fake-instance.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { ErrorLogLimiter } from './error-log-limiter.js';

describe('lines for the log of Kong', () => {
  it('name code, request and remedy, at the level of the catalogue', () => {
    const alarms = new ErrorLogLimiter(() => 0);
    expect(alarms.line('provider_unreachable', 'rid-1')).toEqual({
      level: 'err',
      text: expect.stringMatching(/^ping-auth: provider_unreachable rid-1: check service_url, /),
    });
    expect(alarms.line('provider_queue_full', undefined)).toEqual({
      level: 'warn',
      text: expect.stringMatching(/^ping-auth: provider_queue_full -: raise connections /),
    });
  });

  it('name the fields and reasons of an invalid configuration, which Kong Manager cannot check', () => {
    const line = (problem: string) => new ErrorLogLimiter(() => 0, problem).line('config_invalid', 'r');
    expect(line('connections: must be a whole number')).toEqual({
      level: 'err',
      text: expect.stringMatching(
        /^ping-auth: config_invalid r: connections: must be a whole number; correct this in /,
      ),
    });
    expect(line('x'.repeat(5000))?.text).toMatch(/^ping-auth: config_invalid r: x{1000}; correct this in /);
    const other = new ErrorLogLimiter(() => 0, 'connections: wrong').line('internal_error', 'r');
    expect(other?.text).not.toContain('connections');
  });

  it('are not written for what a client did wrong', () => {
    expect(new ErrorLogLimiter(() => 0).line('http2_not_allowed', 'rid-1')).toBeUndefined();
  });

  it('are two a second for each code, and the next one says how many were left out', () => {
    let now = 10_000;
    const alarms = new ErrorLogLimiter(() => now);
    const lines = Array.from({ length: 6 }, () => alarms.line('provider_timeout', 'r')?.text);
    expect(lines.map((text) => text !== undefined)).toEqual([true, true, false, false, false, false]);
    expect(alarms.line('provider_failing', 'r')).toBeDefined();
    now = 11_000;
    expect(alarms.line('provider_timeout', 'r')?.text).toMatch(/\(4 more like it left out\)$/);
    expect(alarms.line('provider_timeout', 'r')?.text).not.toContain('left out');
  });

  it("go out with a refusal of ours, and not with the policy's denial", async () => {
    const failing = fakeInstance({
      request: () => {
        throw new PingAuthError('provider_timeout');
      },
    });
    const gateway = fakeGateway();
    await accessPhase(failing, gateway, {});
    expect(gateway.deeds).toMatchObject([{ did: 'refuse', log: { line: { level: 'err' } } }]);
    const halfDone = fakeGateway({ fails: ['permit'] });
    await accessPhase(fakeInstance({ request: () => permit(REQUEST) }), halfDone, {});
    expect(halfDone.deeds).toMatchObject([{ did: 'refuse', log: { line: { level: 'err' } } }]);
    const denied = fakeGateway();
    const denying = fakeInstance({
      request: () => ({ kind: 'deny', response: { responseCode: 403, headers: [], body: 'no' } }),
    });
    await accessPhase(denying, denied, {});
    expect(denied.deeds[0]).toMatchObject({ did: 'refuse', log: { line: undefined } });
  });
});
