import { describe, expect, it } from 'vitest';
import { createLog } from '../telemetry/logger.js';
import { createTelemetry } from '../telemetry/telemetry.js';
import { Exchanges } from './exchanges.js';
import { explain } from './explanation.js';
import { LogLines } from './log-lines.js';
import { type DecisionLine, readLogRecord } from './log-record.js';
import { readExchanges, readLog } from './read-log.js';
import { readRecordings } from './recording.js';

async function* bytes(...chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const request = {
  method: 'GET',
  url: 'https://api.example:443/orders',
  http_version: '1.1',
  headers: [{ host: 'api.example' }, { cookie: 'a=b' }],
  body: 'x'.repeat(1500),
};

/** Lines as the plugin server writes them. */
function written(
  use: (telemetry: ReturnType<typeof createTelemetry>) => void,
  maxLineBytes = 100_000,
): string {
  const lines: string[] = [];
  use(
    createTelemetry(
      createLog({ output: { write: (line) => void lines.push(line) }, maxLineBytes }),
      undefined,
      'all',
    ),
  );
  return lines.join('');
}

const oneRequest = (id: string, telemetry: ReturnType<typeof createTelemetry>) => {
  const call = { requestId: id, provider: 'https://pa', secretHeaderName: 'X-Secret' };
  const { method, url } = request;
  telemetry.sidebandExchange({
    ...call,
    phase: 'access',
    payload: JSON.stringify(request),
    answer: JSON.stringify(request),
  });
  telemetry.decision({ phase: 'access', outcome: 'permit', requestId: id, providerMs: 1.25 });
  const response = { method, url, response_code: '200', headers: [], body: 'y' };
  telemetry.sidebandExchange({
    ...call,
    phase: 'response',
    payload: JSON.stringify(response),
    answer: JSON.stringify({ response_code: 200, headers: [], body: 'z' }),
  });
  telemetry.decision({ phase: 'response', outcome: 'change', requestId: id, status: 200, changed: ['body'] });
};

describe('lines', () => {
  it('come whole, however the file was cut into chunks', () => {
    const text = 'one\r\nzwölf\n\nlast';
    for (const size of [1, 2, 5, 100]) {
      const lines = new LogLines();
      const data = Buffer.from(text);
      const found = [];
      for (let at = 0; at < data.length; at += size) found.push(...lines.push(data.subarray(at, at + size)));
      found.push(...lines.end());
      expect(found.map((line) => line.text)).toEqual(['one', 'zwölf', '', 'last']);
      expect(found.map((line) => line.number)).toEqual([1, 2, 3, 4]);
    }
  });

  it('that are too long cost no memory and are counted', () => {
    const lines = new LogLines(10);
    expect([...lines.push(Buffer.from('123456'))]).toEqual([]);
    expect([...lines.push(Buffer.from('7890ab'))]).toEqual([]);
    expect([...lines.push(Buffer.from('c\nnext\n'))]).toEqual([
      { number: 1, text: undefined },
      { number: 2, text: 'next' },
    ]);
  });
});

describe('a line of the log', () => {
  it.each([
    ['', 'other'],
    ['nginx: signal process started', 'other'],
    ['{"level":"info","msg":"started"}', 'other'],
    ['{"event":"notice","msg":"circuit open"}', 'other'],
    ['2026/11/23 [error] 1#0: {not ours', 'other'],
    ['{"event":"decision","phase":"access","decision":"permit"}', 'decision'],
    [
      '2026/11/23 10:00:00 [info] 1#0: *7 [ping-auth:9] {"event":"decision","phase":"access","decision":"deny"}, context: ngx.timer',
      'decision',
    ],
    ['{"event":"sideband","phase":"access","payload":{}}', 'sideband'],
  ])('%s', (line, kind) => {
    expect(readLogRecord(line).kind).toBe(kind);
  });

  it.each([
    ['{"event":"decision","phase":"acc', /expected a JSON object in one line/],
    ['{"event":"decision","phase":"other","decision":"permit"}', /member phase/],
    ['{"event":"decision","phase":"access","decision":"perhaps"}', /member decision/],
    ['{"event":"decision","phase":"access","decision":"permit","changed":"body"}', /member changed/],
    [undefined, /too long/],
  ])('says what is wrong with %s', (line, problem) => {
    expect(readLogRecord(line)).toEqual({ kind: 'broken', problem: expect.stringMatching(problem) });
  });

  it('that Kong got is shortened, and can be read', async () => {
    const log = written((telemetry) => oneRequest('r-1', telemetry), 900);
    const records = (await all(readLog(bytes(log)))).map(({ record }) => record);
    expect(records.map(({ kind }) => kind)).toEqual(['sideband', 'decision', 'sideband', 'decision']);
    expect(records[0]).toMatchObject({ shortened: true, request_id: 'r-1' });
  });
});

describe('exchanges', () => {
  it('are put together by request id, whichever process wrote first', async () => {
    const [first = '', second = ''] = ['r-1', 'r-2'].map((id) => written((to) => oneRequest(id, to)));
    const [a, b] = [first.trim().split('\n'), second.trim().split('\n')];
    const mixed = [a[0], b[0], b[1], a[1], b[2], a[2], a[3], '{"event":"', b[3]].join('\n');
    const problems: string[] = [];
    const found = await all(readExchanges(bytes(mixed), (line, text) => problems.push(`${line}: ${text}`)));
    expect(
      found.map(({ requestId, access, response }) => [requestId, access?.lines, response?.lines]),
    ).toEqual([
      ['r-1', [1, 4], [6, 7]],
      ['r-2', [2, 3], [5, 9]],
    ]);
    expect(found[0]?.access?.decision?.provider_ms).toBe(1.3);
    expect(problems).toEqual([expect.stringMatching(/^8: /)]);
  });

  it('that never end do not pile up', async () => {
    const log = written((to) => {
      for (let i = 0; i < 50; i += 1)
        to.decision({ phase: 'access', outcome: 'permit', requestId: `r-${i}` });
    });
    let most = 0;
    let read = 0;
    async function* counted() {
      for (const line of log.split(/(?<=\n)/)) {
        read += 1;
        yield Buffer.from(line);
      }
    }
    let given = 0;
    for await (const _ of readExchanges(counted(), () => {}, 5)) {
      given += 1;
      most = Math.max(most, read - given);
    }
    expect(given).toBe(50);
    expect(most).toBeLessThanOrEqual(6);
  });

  it('of a request that two plugins judge are two; without an id each line is one', () => {
    const decision: DecisionLine = {
      kind: 'decision',
      phase: 'access',
      decision: 'permit',
      request_id: 'r-1',
    };
    const exchanges = new Exchanges();
    const { request_id: _, ...nameless } = decision;
    expect([decision, decision, nameless, nameless].map((one, line) => exchanges.add(line, one).key)).toEqual(
      [1, 2, 3, 4],
    );
  });
});

describe('recorded messages', () => {
  it('say what is blanked and what is cut', async () => {
    const { recordings } = await readRecordings(bytes(written((to) => oneRequest('r-1', to))));
    expect(recordings[0]?.gaps.shown).toEqual({ redacted: ['header:cookie'], cut: ['body'] });
    expect(recordings[1]?.gaps).toEqual({
      shown: { redacted: [], cut: [] },
      answer: { redacted: [], cut: [] },
    });
  });

  it('of a shortened line can be explained as far as they go', async () => {
    const headers = Array.from({ length: 50 }, (_, i) => ({ [`x-${i}`]: '1' }));
    const log = written((to) => {
      const call = {
        requestId: 'r-1',
        provider: 'https://pa',
        secretHeaderName: 'X',
        phase: 'access' as const,
      };
      to.sidebandExchange({
        ...call,
        payload: JSON.stringify({ ...request, headers }),
        answer: JSON.stringify({ ...request, headers: [] }),
      });
    }, 1800);
    const { recordings, problems } = await readRecordings(bytes(log));
    expect(problems).toEqual([]);
    expect(recordings[0]?.gaps.shown.cut).toContain('headers');
    expect(recordings.map(explain)[0]?.decision).toBe('forwarded');
  });

  it('that cannot be read do not keep the others from it', async () => {
    const log = `{"event":"sideband","phase":"access","payload":{"method":1}}\n${written((to) => oneRequest('r', to))}`;
    const { recordings, problems } = await readRecordings(bytes(log));
    expect(recordings).toHaveLength(2);
    expect(problems).toEqual([expect.stringMatching(/^1: request\.\w+: /)]);
  });
});
