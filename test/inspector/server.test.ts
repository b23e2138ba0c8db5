// Who gets to see the log, and what the server lets a browser do.
import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors/catalogue.js';
import type { ExchangeDetail, Update } from '../../src/inspector/wire.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { until } from '../support/until.js';
import { type InspectedLog, type InspectProcess, inspectLog, startInspect } from './inspect-process.js';
import { logLines, writeChanged, writeRefused } from './log-file.js';

let folder: string;
let file: string;
let inspect: InspectProcess;
let cookie: string;

let log: InspectedLog;

beforeAll(async () => {
  log = await inspectLog((to) => {
    writeChanged(to, 'r-1');
    writeRefused(to, 'r-2');
  });
  ({ folder, file, inspect } = log);
});
afterAll(() => log?.close());

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** fetch would not send a Host of our choice. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(new URL(path, inspect.origin), { method, headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
        // An event stream has no end.
        if (path === '/api/events' && body.endsWith('\n\n')) response.destroy();
      });
      response.on('close', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    sent.on('error', reject).end();
  });
}

it('gives a cookie for the token, once, and shows a new link', async () => {
  const link = inspect.url();
  const first = await get(link);
  expect(first.status).toBe(200);
  const [set = ''] = first.headers['set-cookie'] ?? [];
  expect(set).toMatch(/^ping-auth-inspect-\d+=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict$/);
  cookie = set.split(';')[0] ?? '';
  expect((await get(link)).headers['set-cookie']).toBeUndefined();
  await until('a new link is shown', () => inspect.url() !== link);
});

it('shows nothing of the log without the cookie', async () => {
  for (const path of ['/api/events', '/api/exchanges/1']) {
    expect((await get(path)).status).toBe(401);
    expect((await get(path, { cookie: `${cookie}x` })).status).toBe(401);
    expect((await get(path, { cookie })).status).toBe(200);
  }
  for (const path of ['/', '/page.js', '/page.css', '/icon.svg', '/troubleshooting'])
    expect((await get(path)).body).not.toContain('r-1');
});

it.each([
  [{ host: 'evil.example' }],
  [{ host: 'localhost.evil.example:80' }],
  [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }],
  [{ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }],
])('refuses what is not meant for it: %j', async (headers) => {
  expect((await get('/api/events', { cookie, ...headers })).status).toBe(403);
});

it('takes GET only, and no path but its own', async () => {
  expect((await get('/', { cookie }, 'POST')).status).toBe(405);
  for (const path of [
    '/api/exchanges/99',
    '/api/exchanges/__proto__',
    '/__proto__',
    '/../etc/passwd',
    '/page',
  ])
    expect((await get(path, { cookie })).status).toBe(404);
});

it('forbids the page everything that it does not need', async () => {
  for (const path of ['/', '/troubleshooting', '/api/exchanges/1']) {
    const { headers } = await get(path, { cookie });
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/);
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
  }
  expect((await get('/')).body).not.toMatch(/https?:|<script>|style=| on\w+=/);
});

it('sends rows, and an opened request with what the policy changed', async () => {
  const { body } = await get('/api/events', { cookie });
  const update = JSON.parse(/^data: (.*)$/m.exec(body)?.[1] ?? '') as Update;
  expect(update.rows.map(({ id, method, path }) => [id, method, path])).toEqual([
    ['r-1', 'POST', '/orders/7'],
    ['r-2', undefined, undefined],
  ]);
  const detail = JSON.parse((await get('/api/exchanges/1', { cookie })).body) as ExchangeDetail;
  const { difference, redacted } = detail.access?.messages ?? {};
  expect(difference?.headers.map(({ name, change }) => `${change} ${name}`)).toEqual([
    'same host',
    'same accept',
    'same authorization',
    'removed x-debug',
    'added x-user',
    'added content-length',
  ]);
  expect(redacted).toEqual(['header:authorization', 'state']);
});

it('has the remedy for every code, and a page with all of them', async () => {
  const detail = JSON.parse((await get('/api/exchanges/2', { cookie })).body) as ExchangeDetail;
  expect(detail.access?.help).toMatchObject({
    meaning: ERRORS.provider_timeout.meaning,
    remedy: expect.stringContaining('correlation_id'),
  });
  const { body } = await get('/troubleshooting');
  for (const code of Object.keys(ERRORS)) expect(body).toContain(`<h3 id="${code}">`);
});

it('ends by Ctrl-C with 0, and writes nothing into the log’s folder', async () => {
  const before = readFileSync(file, 'utf8');
  expect(await inspect.end()).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(before);
});

it('says what is wrong with a file', async () => {
  await expect(startInspect(join(folder, 'none.log'))).rejects.toThrow(/none\.log: there is no such file/);
  await expect(startInspect(folder)).rejects.toThrow(/is not a file; name the file of --log-file/);
  const other = join(folder, 'other.log');
  writeFileSync(other, '192.0.2.1 - - "GET / HTTP/1.1" 200\n'.repeat(3));
  await expect(startInspect(other)).rejects.toThrow(
    /other\.log has no line of ping-auth \(3 lines read\): name/,
  );
  await expect(startInspect(file, '--keep', 'many')).rejects.toThrow(/expected a whole number from 1/);
});

it('says what it opened', async () => {
  const empty = join(folder, 'empty.log');
  writeFileSync(empty, '');
  const [one, other] = await Promise.all([startInspect(file), startInspect(empty)]);
  try {
    expect(one.output()).toMatch(/^reading \S+ping-auth\.log \([\d,]+ bytes\)\nhttp:/);
    expect(other.output()).toMatch(/^reading \S+empty\.log \(empty so far\)\nhttp:/);
  } finally {
    await Promise.all([one.end(), other.end()]);
  }
});

it('reads standard input', async () => {
  const piped = await startInspect('-');
  try {
    piped.process.stdin?.end(logLines((to) => writeRefused(to, 'r-9')));
    const [session] = ((await fetch(piped.url())).headers.get('set-cookie') ?? '').split(';');
    await until('the exchange is there', async () => {
      const answer = await fetch(`${piped.origin}/api/exchanges/1`, { headers: { cookie: session ?? '' } });
      return answer.ok && (await answer.text()).includes('r-9');
    });
  } finally {
    expect(await piped.end()).toBe(0);
  }
});

it('is not in the plugin server', async () => {
  const bundle = await builtPluginServer();
  const parts = (path: string) =>
    [...readFileSync(path, 'utf8').matchAll(/^\/\/ ((?:src|node_modules)\/[^\n]+)$/gm)].map(
      ([, part]) => part,
    );
  const tools =
    /^(src\/(inspector|recordings|cli\/(check|explain|inspect))\/|node_modules\/(preact|uplot|diff)\/)/;
  expect(parts(bundle).length).toBeGreaterThan(100);
  expect(parts(bundle).filter((part) => tools.test(part ?? ''))).toEqual([]);
  expect(/uPlot|@preact|INSPECTOR_PAGE/.test(readFileSync(bundle, 'utf8'))).toBe(false);
  expect(parts(join(dirname(bundle), 'ping-auth.mjs')).some((part) => tools.test(part ?? ''))).toBe(true);
});
