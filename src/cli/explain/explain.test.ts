import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeTerminal } from '../../../test/support/fake-terminal.js';
import { createLog } from '../../telemetry/logger.js';
import { createTelemetry } from '../../telemetry/telemetry.js';
import { explainCommand } from './command.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-explain-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function explain(content: unknown, ...options: string[]) {
  const file = join(folder, 'recording.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  const terminal = new FakeTerminal();
  await explainCommand(terminal).parseAsync([file, ...options], { from: 'user' });
  return terminal.result;
}

const request = {
  method: 'GET',
  url: 'https://api.example:443/orders?page=1',
  http_version: '1.1',
  headers: [{ host: 'api.example' }, { 'x-debug': '1' }],
  body: '{"id":1,"note":"a"}',
};

describe('ping-auth explain', () => {
  it('shows what a permit changes', async () => {
    const answer = {
      ...request,
      url: 'https://api.example:443/orders?page=1&size=10',
      headers: [{ host: 'api.example' }, { 'x-user': 'joe' }],
      body: '{"id":1}',
    };
    const { stdout, exitCode } = await explain({ request, answer });
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'access: permitted, 4 changes: query, header:x-user, -header:x-debug, body',
        '- GET https://api.example:443/orders?page=1',
        '+ GET https://api.example:443/orders?page=1&size=10',
        '  host: api.example',
        '- x-debug: 1',
        '+ x-user: joe',
        '-   "note": "a"',
      ]),
    );
  });

  it('shows what a deny sends', async () => {
    const answer = {
      response: { response_code: 401, headers: [{ 'www-authenticate': 'Bearer' }], body: 'no' },
    };
    const { stdout } = await explain({ request, answer });
    expect(stdout).toContain('denied with status 401; nothing reaches the upstream');
    expect(stdout).toContain('+ www-authenticate: Bearer');
  });

  it('shows what becomes of a response', async () => {
    const response = {
      response_code: '200',
      headers: [{ 'x-internal': 'db-7' }, { 'x-a': '1' }],
      body: 'all',
    };
    const answer = { response_code: 403, headers: [{ 'x-a': '1' }], body: 'no' };
    const { stdout } = await explain({ response, answer }, '--color');
    expect(stdout).toContain('\u001b[31m- 200 OK');
    expect(stdout).toContain('\u001b[32m+ 403 Forbidden');
    expect(stdout).toContain('- x-internal: db-7');
  });

  it.each([
    ['no permit', {}, 'provider_answer_invalid'],
    ['a bad header', { ...request, headers: [{ 'bad name': '1' }] }, 'directive_invalid'],
    ['HTML', '<html>', 'provider_not_json'],
  ])('says why an answer would be refused: %s', async (_, answer, code) => {
    const { stdout, exitCode } = await explain({ request, answer });
    expect(stdout).toMatch(new RegExp(`refused with 502, code ${code}`));
    expect(exitCode).toBe(1);
  });

  it('understands the log of enable_debug_logging', async () => {
    const lines: string[] = [];
    const telemetry = createTelemetry(createLog({ output: { write: (line) => void lines.push(line) } }));
    const exchange = { provider: 'https://pa', secretHeaderName: 'X-Secret' };
    telemetry.decision({ phase: 'access', outcome: 'permit', requestId: 'r-1' });
    telemetry.sidebandExchange({
      ...exchange,
      phase: 'access',
      requestId: 'r-1',
      payload: JSON.stringify(request),
      answer: JSON.stringify({ ...request, headers: [{ host: 'api.example' }] }),
    });
    telemetry.sidebandExchange({
      ...exchange,
      phase: 'access',
      requestId: 'r-2',
      payload: JSON.stringify(request),
      answer: JSON.stringify({ response: { response_code: 403, headers: [{ 'x-a': '1' }], body: 'no' } }),
    });
    telemetry.sidebandExchange({
      ...exchange,
      phase: 'response',
      requestId: 'r-1',
      payload: JSON.stringify({
        method: 'GET',
        url: request.url,
        response_code: '200',
        headers: [],
        body: 'x',
      }),
      answer: JSON.stringify({ response_code: 200, headers: [], body: 'y' }),
    });
    const all = await explain(lines.join(''));
    expect(all.stderr).toBe('');
    expect(all.exitCode).toBe(0);
    expect(all.stdout).toContain('permitted, 1 change: -header:x-debug (request r-1)');
    expect(all.stdout).toContain('denied with status 403');
    expect(all.stdout).toContain('response: 1 change: body (request r-1)');
    const one = await explain(
      lines.map((line) => `2026/11/23 [info] 1#0: [ping-auth:9] ${line}`).join(''),
      '--request-id',
      'r-2',
    );
    expect(one.stdout).not.toContain('r-1');
  });

  it('cannot move the cursor of the terminal', async () => {
    const { stdout } = await explain({ request, answer: { ...request, body: 'a\u001b[2Jb' } });
    expect(stdout).not.toContain('\u001b');
  });

  it.each(['', 'text', '[]', '{"request": {}}', '{"request": {"method": 1}, "answer": {}}'])(
    'says what is missing in %s',
    async (content) => {
      const { stderr, exitCode } = await explain(content);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/^ping-auth explain: .{10}/);
    },
  );
});
