import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createExchangeRecorder,
  type ExchangeSink,
  type RecorderOptions,
  type SidebandExchange,
} from './exchange-recorder.js';
import { createLog } from './logger.js';
import { createTelemetry } from './telemetry.js';

let folder: string;
let path: string;
let reports: string[];
const sinks: ExchangeSink[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-recorder-'));
  path = join(folder, 'exchanges.jsonl');
  reports = [];
});
afterEach(() => {
  for (const sink of sinks.splice(0)) sink.close();
  rmSync(folder, { recursive: true, force: true });
});

function start(options: Partial<RecorderOptions> = {}): ExchangeSink {
  const report = (problem: string) => void reports.push(problem);
  const sink = createExchangeRecorder({ path, rate: 1, clean: (line) => line, report, ...options });
  sinks.push(sink);
  return sink;
}

const exchange = (requestId: string, payload: unknown = { method: 'GET' }): SidebandExchange => ({
  phase: 'access',
  requestId,
  route: 'route-1',
  provider: 'https://pa',
  secretHeaderName: 'X-Secret',
  payload: JSON.stringify(payload),
  answer: '{}',
});

const written = (file = path) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { request_id: string; payload: Record<string, unknown> });
const everything = () =>
  readdirSync(folder).flatMap((name) => (name.endsWith('.lock') ? [] : written(join(folder, name))));

describe('a recorder', () => {
  it('writes lines as enable_debug_logging does, redacted, for its owner alone', async () => {
    start().record(
      exchange('r-1', {
        headers: [{ authorization: 'Bearer abc' }, { 'x-secret': 's' }, { 'x-a': '1' }],
        body: `{"password":"p","text":"${'x'.repeat(5000)}"}`,
      }),
    );
    await vi.waitFor(() => expect(written()).toHaveLength(1));
    const [line] = written();
    expect(line).toMatchObject({
      event: 'sideband',
      phase: 'access',
      route: 'route-1',
      time: expect.stringMatching(/Z$/),
      payload: {
        headers: [{ authorization: 'Bearer [redacted]' }, { 'x-secret': '[redacted]' }, { 'x-a': '1' }],
      },
    });
    expect(line?.payload.body).toMatch(/^\{"password":"\[redacted\]","text":"x{5000}"\}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('closes a file to others that was open to them', async () => {
    writeFileSync(path, '');
    chmodSync(path, 0o644);
    start().record(exchange('r-1'));
    await vi.waitFor(() => expect(written()).toHaveLength(1));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('blanks the secrets of the log', async () => {
    const log = createLog({ output: { write() {} } });
    log.hideSecret('the-shared-secret');
    const telemetry = createTelemetry(log, undefined, 'changes', start({ clean: (line) => log.clean(line) }));
    telemetry.record?.(exchange('r-1', { echo: 'the-shared-secret' }));
    await vi.waitFor(() => expect(written()[0]?.payload).toEqual({ echo: '[redacted]' }));
    expect(createTelemetry(log).record).toBeUndefined();
  });

  it('takes both phases of a request or none, whichever process sees them', async () => {
    const [one, other] = [start({ rate: 0.5 }), start({ rate: 0.5 })];
    for (let i = 0; i < 400; i += 1) {
      one.record(exchange(`request-${i}`));
      other.record({ ...exchange(`request-${i}`), phase: 'response' });
    }
    start({ rate: 1 }).record(exchange('last'));
    for (const sink of sinks.splice(0)) sink.close();
    const counts = new Map<string, number>();
    for (const { request_id: id } of written()) counts.set(id, (counts.get(id) ?? 0) + 1);
    counts.delete('last');
    expect(new Set(counts.values())).toEqual(new Set([2]));
    expect(counts.size).toBeGreaterThan(140);
    expect(counts.size).toBeLessThan(260);
  });

  it('moves a full file away and keeps so many, with several writers, and loses no line', async () => {
    const writers = [1, 2, 3].map(() => start({ maxBytes: 20_000, keep: 100 }));
    const filler = { text: 'x'.repeat(400) };
    let rounds = 0;
    for (; !existsSync(`${path}.3`); rounds += 1) {
      for (const [index, writer] of writers.entries()) writer.record(exchange(`${index}-${rounds}`, filler));
      await vi.waitFor(() => expect(everything()).toHaveLength(3 * (rounds + 1)), { interval: 5 });
    }
    await vi.waitFor(() => {
      expect(new Set(everything().map(({ request_id: id }) => id)).size).toBe(3 * rounds);
    });
  });

  it('forgets the oldest', async () => {
    const sink = start({ maxBytes: 1000, keep: 2 });
    for (let i = 0; i < 30; i += 1) {
      sink.record(exchange(`r-${i}`, { text: 'x'.repeat(400) }));
      await vi.waitFor(() => expect(JSON.stringify(everything())).toContain(`"r-${i}"`), { interval: 5 });
    }
    const names = () => readdirSync(folder).filter((name) => !name.endsWith('.lock'));
    // While it is moved away there is none under the first name.
    await vi.waitFor(() =>
      expect(names().sort()).toEqual(['exchanges.jsonl', 'exchanges.jsonl.1', 'exchanges.jsonl.2']),
    );
  });

  it('is not stopped by the lock of a process that was killed', async () => {
    mkdirSync(`${path}.lock`);
    utimesSync(`${path}.lock`, 1, 1);
    const sink = start({ maxBytes: 1000 });
    await vi.waitFor(() => {
      sink.record(exchange('r', { text: 'x'.repeat(400) }));
      expect(existsSync(`${path}.1`)).toBe(true);
    });
  });

  it('goes on under its old name when logrotate moved the file away', async () => {
    const sink = start();
    sink.record(exchange('r-1'));
    await vi.waitFor(() => expect(written()).toHaveLength(1));
    renameSync(path, `${path}.old`);
    sink.reopen();
    sink.record(exchange('r-2'));
    await vi.waitFor(() => expect(written()).toMatchObject([{ request_id: 'r-2' }]));
  });

  it.each(['/dev/null/exchanges', '/dev/full'])('harms nothing when %s cannot be written', async (bad) => {
    const sink = start({ path: bad });
    for (let i = 0; i < 20; i += 1) sink.record(exchange(`r-${i}`));
    await vi.waitFor(() => expect(reports).toHaveLength(1));
    sink.record(exchange('r'));
    expect(reports[0]).toContain('recording cannot be written');
  });

  it('harms nothing when an exchange cannot be written down', () => {
    const sink = start();
    const bad = {
      ...exchange('r'),
      get payload(): string {
        throw new Error('no');
      },
    };
    expect(() => {
      sink.record(bad);
      sink.record(bad);
    }).not.toThrow();
    expect(reports).toEqual(['an exchange cannot be recorded']);
  });
});
