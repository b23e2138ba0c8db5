import { describe, expect, it } from 'vitest';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { createLog } from './logger.js';
import { createMetrics } from './metrics.js';
import { createTelemetry } from './telemetry.js';

function setUp(level: 'info' | 'warn' = 'info') {
  const lines: string[] = [];
  const log = createLog({ level, output: { write: (line) => void lines.push(line) } });
  return { log, lines, records: () => lines.map((line) => JSON.parse(line)) };
}

describe('telemetry', () => {
  it('writes one line and one count a decision', async () => {
    const { log, records } = setUp();
    const metrics = await createMetrics({ process: false });
    createTelemetry(log, metrics).decision({
      phase: 'access',
      outcome: 'refuse',
      code: 'provider_timeout',
      requestId: 'r-1',
      status: 504,
      providerMs: 10_000,
    });
    expect(records()).toMatchObject([
      {
        level: 'error',
        msg: 'access: refuse (provider_timeout)',
        request_id: 'r-1',
        status: 504,
        code: 'provider_timeout',
      },
    ]);
    expect(JSON.stringify(await metrics.snapshot())).toContain('"code":"provider_timeout"');
  });

  it('counts decisions whose lines the level hides', async () => {
    const { log, lines } = setUp('warn');
    const metrics = await createMetrics({ process: false });
    createTelemetry(log, metrics).decision({ phase: 'access', outcome: 'deny' });
    expect(lines).toEqual([]);
    expect(JSON.stringify(await metrics.snapshot())).toContain(
      '{"value":1,"labels":{"phase":"access","outcome":"deny"}}',
    );
  });

  it('shows both messages of a sideband call without their secrets', () => {
    const { log, lines, records } = setUp();
    createTelemetry(log).sidebandExchange({
      phase: 'access',
      provider: 'https://pa.example:3020',
      secretHeaderName: 'X-Secret',
      payload: JSON.stringify({
        method: 'GET',
        url: 'https://a/?code=c-1',
        headers: [{ 'x-secret': 's-1' }],
      }),
      answer: Buffer.from('{"method":"GET","state":"st-1","headers":[{"set-cookie":"sid=c-2"}]}'),
    });
    expect(records()[0]).toMatchObject({
      payload: { method: 'GET' },
      answer: { method: 'GET' },
    });
    for (const secret of ['c-1', 's-1', 'c-2', 'st-1']) expect(lines[0]).not.toContain(`"${secret}`);
    expect(lines[0]).not.toMatch(/c-1|sid=c-2|st-1/);
  });

  it('tells where an unforeseen error came from, and of a foreseen one only its code and detail', () => {
    const { log, records } = setUp();
    const telemetry = createTelemetry(log);
    telemetry.problem('starting an instance', new TypeError('x is not a function'));
    telemetry.problem(
      'starting an instance',
      new PingAuthError('config_invalid', { detail: 'service_url: empty' }),
    );
    expect(records()[0]).toMatchObject({
      code: 'internal_error',
      stack: expect.stringContaining('telemetry.test'),
    });
    expect(records()[1]).toMatchObject({ code: 'config_invalid', detail: 'service_url: empty' });
    expect(records()[1].stack).toBeUndefined();
  });
});
