// The page of `ping-auth inspect` in a real browser.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until as untilSoon } from '../support/until.js';
import { CHROMIUM, HOW_TO_INSTALL, startBrowser } from './browser.js';
import { type InspectedLog, type InspectProcess, inspectLog, startInspect } from './inspect-process.js';
import { appendLog, logLines, writeChanged, writeDenied, writeRefused } from './log-file.js';

/** A browser on a machine that others use too. */
const until: typeof untilSoon = (what, condition) => untilSoon(what, condition, 45_000);
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

it('a browser is there to test with', ({ skip }) => {
  if (CHROMIUM !== undefined) return;
  if (process.env.CI) throw new Error(HOW_TO_INSTALL);
  console.warn(HOW_TO_INSTALL);
  skip(HOW_TO_INSTALL);
});

describe.skipIf(CHROMIUM === undefined)('the page', () => {
  let folder: string;
  let log: InspectedLog;
  let browser: Browser;
  let inspect: InspectProcess;
  let page: Page;
  /** Servers that have given this browser their cookie. */
  const letIn = new Set<InspectProcess>();
  /** What the browser complained about: errors, refused scripts, refused styles. */
  const complaints: string[] = [];

  beforeAll(async () => {
    log = await inspectLog((to) => {
      writeChanged(to, 'r-1');
      writeRefused(to, 'r-2');
      writeDenied(to, 'r-3');
    });
    ({ folder, inspect } = log);
    browser = await startBrowser();
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(45_000);
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('dialog', (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  });
  afterAll(async () => {
    await browser?.close();
    await log?.close();
  });

  /** One page for all: a browser takes longer to open one than to do what a test asks of it. */
  async function opened(server: InspectProcess, query = ''): Promise<Page> {
    await page.goto(letIn.has(server) ? `${server.origin}/?${query}` : `${server.url()}&${query}`);
    letIn.add(server);
    return page;
  }

  function written(name: string, write: Parameters<typeof logLines>[0]): string {
    const file = join(folder, name);
    writeFileSync(file, logLines(write));
    return file;
  }

  function kongFile(): string {
    const file = join(folder, 'kong.yml');
    writeFileSync(file, `services:\n- name: crm\n  routes:\n  - { name: customers, id: ${ROUTE} }\n`);
    return file;
  }

  const ids = (page: Page) => page.locator('.rows .row .c-request').allInnerTexts();

  it('lists requests, newest first, with decision in words; takes the token out of the URL', async () => {
    await opened(inspect);
    await page.locator('.rows .row').nth(2).waitFor();
    const texts = await page.locator('.rows .row').allInnerTexts();
    expect(texts.map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
      expect.stringMatching(/deny DELETE \/accounts\/7 403 8\.0 ms/),
      expect.stringMatching(/refuse r-2 504 3,000 ms provider_timeout 9f2e3d4c/),
      expect.stringMatching(/change POST \/orders\/7 200 12 ms header:x-user, -header:x-debug, body/),
    ]);
    expect(page.url()).toBe(`${inspect.origin}/`);
  });

  it('opens a request: its way, and what the policy changed', async () => {
    await opened(inspect);
    await page.getByText('POST /orders/7').click();
    const exchange = page.getByRole('region', { name: 'Opened request' });
    await exchange.getByText('What the client sent').first().waitFor();
    expect(page.url()).toContain('request=r-1');
    const way = await exchange.getByRole('list', { name: 'Request lifecycle' }).innerText();
    expect(way.replaceAll(/\s+/g, ' ')).toBe(
      'Client 192.0.2.7 as sent Policy change 12 ms request 3 changes Upstream 200 as answered Policy change 4.0 ms response 1 change Client gets 200',
    );
    const row = (name: string) => exchange.getByRole('row', { name });
    expect(await row('x-debug').getAttribute('class')).toBe('removed');
    expect(await row('x-user').innerText()).toMatch(/added\s+x-user\s+joe/);
    expect(await exchange.locator('.pair.removed, .pair.changed').allInnerTexts()).toEqual([
      expect.stringMatching(/"amount": 5,[\s\S]*"amount": 5/),
      expect.stringMatching(/"fee": 1/),
    ]);
    await page.goBack();
    await exchange.waitFor({ state: 'detached' });
  });

  it('says of an error response what it means and what to do, and how to see more', async () => {
    await opened(inspect, 'request=r-2');
    const exchange = page.getByRole('region', { name: 'Opened request' });
    await exchange.getByText('No connection to the policy provider, or no complete answer').waitFor();
    expect(await exchange.innerText()).toMatch(
      /Policy provider: find the slow decision by its correlation_id/,
    );
    expect(await exchange.innerText()).toContain('enable_debug_logging: true');
    const link = exchange.getByRole('link', { name: 'Troubleshooting: provider_timeout' });
    expect(await link.getAttribute('href')).toBe('/troubleshooting#provider_timeout');
  });

  it('filters, with all of it in the URL; a URL filters', async () => {
    await opened(inspect);
    await page.getByRole('button', { name: /^deny/ }).click();
    await page.getByRole('button', { name: /^refuse/ }).click();
    await page.getByLabel('Slower than').fill('100');
    await page.getByRole('searchbox').fill('TIMEOUT');
    await until('one is left', async () => (await ids(page)).join() === 'r-2');
    const { search } = new URL(page.url());
    expect(search).toBe('?decision=deny,refuse&q=TIMEOUT&slower=100');
    await opened(inspect, search.slice(1));
    await until('one is there', async () => (await ids(page)).join() === 'r-2');
    expect(await page.getByRole('button', { name: /^deny/ }).getAttribute('aria-pressed')).toBe('true');
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await until('all are there', async () => (await ids(page)).length === 3);
    expect(page.url()).toBe(`${inspect.origin}/`);
  });

  it('filters by brushing a plot', async () => {
    await opened(inspect);
    const plot = page.locator('.u-over').first();
    await page.locator('.rows .row').first().waitFor();
    const box = await plot.boundingBox();
    if (box === null) throw new Error('no plot');
    await page.mouse.move(box.x + 20, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await until('the URL has it', () => /from=\d{4}-.*&to=\d{4}-/.test(page.url()));
    await until('nothing was then', async () => (await ids(page)).length === 0);
    expect(await page.locator('input[type=datetime-local]').first().inputValue()).toMatch(
      /^\d{4}-\d\d-\d\dT/,
    );
    await page.mouse.click(box.x + 5, box.y + 5);
    await until('a click ends it', async () => (await ids(page)).length === 3);
  });

  it('is used by keyboard', async () => {
    await opened(inspect);
    await page.locator('.rows .row').nth(2).waitFor();
    await page.keyboard.press('/');
    expect(await page.locator(':focus').getAttribute('type')).toBe('search');
    await page.getByRole('grid').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const title = page.getByRole('heading', { level: 2 });
    await until('r-2 is open', async () => (await title.innerText()) === 'r-2');
    await page.keyboard.press('End');
    await until('the last one is open', async () => (await title.innerText()) === 'POST /orders/7');
    await page.keyboard.press('Escape');
    await title.waitFor({ state: 'detached' });
    expect(await page.locator(':focus').getAttribute('role')).toBe('grid');
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Resume' }).waitFor();
  });

  it('has nothing that keeps people out, in light and dark, wide and narrow', async () => {
    for (const [colorScheme, width, query] of [
      ['light', 1440, 'request=r-1'],
      ['dark', 1440, 'request=r-3'],
      ['light', 360, ''],
      ['dark', 360, 'request=r-2'],
      ['light', 1400, 'group=1'],
      ['dark', 400, 'sort=slowest'],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 780 });
      await opened(inspect, query);
      await page
        .locator(query.startsWith('request') ? '.phase' : '.rows .row')
        .first()
        .waitFor();
      await page.evaluate(readAxe());
      const { violations } = await page.evaluate<AxeResults>("axe.run({ resultTypes: ['violations'] })");
      const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
      expect(found, `${colorScheme} ${width}`).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  it('shows a response that the policy turns into an error as a denial, and MCP messages by name', async () => {
    const server = await startInspect(
      written('mcp.log', (to) => {
        const mcp = (id: string, method: string, name: string) =>
          to.decision({
            ...{ phase: 'access', outcome: 'permit', requestId: id, method: 'POST', path: '/mcp' },
            ...{ mcp: { method, name }, routeId: ROUTE, providerMs: 2 },
          });
        mcp('m-1', 'tools/call', 'delete_customer');
        mcp('m-2', 'tools/call', 'list_customers');
        mcp('m-3', 'resources/read', 'file:///a');
        to.decision({
          ...{ phase: 'access', outcome: 'permit', requestId: 'w-1' },
          method: 'GET',
          path: '/w',
        });
        to.decision({
          ...{ phase: 'response', outcome: 'change', requestId: 'w-1' },
          status: 403,
          changed: ['status', 'body'],
        });
      }),
      '--config',
      kongFile(),
    );
    try {
      await opened(server);
      await until('all are there', async () => (await ids(page)).length === 4);
      const texts = (await page.locator('.rows .row').allInnerTexts()).map((text) =>
        text.replaceAll(/\s+/g, ' '),
      );
      expect(texts).toEqual([
        expect.stringMatching(/deny GET \/w 403 .* status, body/),
        expect.stringMatching(/permit resources\/read file:\/\/\/a .* customers$/),
        expect.stringMatching(/permit tools\/call list_customers/),
        expect.stringMatching(/permit tools\/call delete_customer/),
      ]);
      expect(await page.getByRole('button', { name: /^deny 1$/ }).count()).toBe(1);
      await page.getByRole('combobox', { name: 'MCP method' }).selectOption('tools/call');
      await page.getByRole('combobox', { name: 'Tool', exact: true }).selectOption('delete_customer');
      await until('one is left', async () => (await ids(page)).join() === 'tools/call delete_customer');
      expect(new URL(page.url()).search).toBe('?mcp=tools/call&tool=delete_customer');
      await page.locator('.rows .row').first().click();
      await page.getByText(`customers (${ROUTE})`).waitFor();
    } finally {
      await server.end();
    }
  });

  it('shows decisions, not “under way”, of a file of --record-file', async () => {
    const lines = logLines((to) => {
      writeChanged(to, 'a-1');
      writeDenied(to, 'a-2');
    });
    const calls = lines.split('\n').filter((line) => line.includes('"event":"sideband"'));
    const file = join(folder, 'recorded.jsonl');
    writeFileSync(file, `${calls.join('\n')}\n`);
    const server = await startInspect(file);
    try {
      await opened(server);
      await until('both are there', async () => (await ids(page)).length === 2);
      const texts = await page.locator('.rows .row').allInnerTexts();
      expect(texts.map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
        expect.stringMatching(/deny DELETE \/accounts\/7 403/),
        expect.stringMatching(/change POST \/orders\/7 200 .* body/),
      ]);
      await page.locator('.rows .row').first().click();
      await page.getByText('worked out from the recorded messages').first().waitFor();
    } finally {
      await server.end();
    }
  });

  it('copies the id, a curl command and a test case', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: inspect.origin });
    await opened(inspect, 'request=r-1');
    const copied = async (what: string) => {
      await page.getByRole('button', { name: `Copy ${what}`, exact: true }).click();
      await page.getByText(`${what} copied`).waitFor();
      return page.evaluate<string>('navigator.clipboard.readText()');
    };
    expect(await copied('id')).toBe('r-1');
    const curl = await copied('as curl');
    expect(curl).toMatch(/^curl 'https:\/\/api\.example:443\/orders\/7\?page=1' \\\n {2}-X 'POST'/);
    expect(curl).toContain(`-H 'authorization: Bearer '"$TOKEN"''`);
    expect(curl).toContain(`--data-raw '{"amount":5,"fee":1}'`);
    const text = await copied('as test case');
    expect(text).toContain(`authorization: Bearer \${TOKEN}`);
    expect(text).toMatch(/expect:\n {6}decision: permit/);
  });

  it('groups, sorts, and goes from one request to the next', async () => {
    const server = await startInspect(
      written('groups.log', (to) => {
        for (let i = 0; i < 36; i += 1)
          to.decision({
            ...{
              phase: 'access',
              outcome: 'deny',
              requestId: `g-${i}`,
              method: 'GET',
              path: `/bank/accounts/${i}`,
            },
            ...{ status: 401, providerMs: 1 + i },
          });
        to.decision({
          ...{ phase: 'access', outcome: 'permit', requestId: 'p' },
          method: 'GET',
          path: '/p',
          providerMs: 99,
        });
      }),
    );
    try {
      await opened(server);
      await page.locator('.rows .row').nth(5).waitFor();
      await page.getByRole('button', { name: 'Group' }).click();
      await until('two groups', async () => (await page.locator('.rows .row').count()) === 2);
      const [first] = await page.locator('.rows .row').allInnerTexts();
      expect(first?.replaceAll(/\s+/g, ' ')).toMatch(/36 × deny GET \/bank\/accounts\/\{id\} 401 36 ms/);
      await page.locator('.rows .row').first().click();
      await until('its requests', async () => (await page.locator('.rows .row').count()) > 10);
      await page.getByRole('button', { name: 'Group' }).click();
      await page.getByRole('button', { name: 'Provider' }).click();
      await until('the slowest is on top', async () => (await ids(page))[0] === 'GET /p');
      expect(page.url()).toContain('sort=slowest');
      await page.locator('.rows .row').first().click();
      const title = page.locator('.exchange h2');
      await until('it is open', async () => (await title.innerText()) === 'GET /p');
      expect(await page.getByRole('button', { name: 'Previous' }).isDisabled()).toBe(true);
      await page.getByRole('button', { name: 'Next' }).click();
      await until('the next one', async () => (await title.innerText()) === 'GET /bank/accounts/35');
      await page.keyboard.press('j');
      await until('the one after', async () => (await title.innerText()) === 'GET /bank/accounts/34');
      await page.keyboard.press('k');
      await until('back', async () => (await title.innerText()) === 'GET /bank/accounts/35');
      await page.keyboard.press('Escape');
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Shortcuts' }).waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
    } finally {
      await server.end();
    }
  });

  it('shows the list first on a narrow screen, and folds plots and filters', async () => {
    await page.setViewportSize({ width: 400, height: 780 });
    const narrow = page;
    try {
      await opened(inspect);
      await narrow.locator('.rows .row').first().waitFor();
      const box = await narrow.locator('.rows .row').first().boundingBox();
      expect(box?.y).toBeLessThan(300);
      await narrow.getByRole('button', { name: 'Show filters' }).click();
      await narrow.getByRole('searchbox').waitFor();
      await narrow.getByRole('button', { name: 'Hide filters' }).click();
      await narrow.getByRole('searchbox').waitFor({ state: 'detached' });
      await narrow.evaluate('localStorage.clear()');
    } finally {
      await page.setViewportSize({ width: 1400, height: 900 });
    }
    await opened(inspect);
    await page.locator('.rows .row').nth(2).waitFor();
    const changes = `[...document.querySelectorAll('.rows .c-changes')].find((cell) => cell.textContent.includes('header:x-user'))`;
    expect(await page.evaluate(`${changes}.scrollWidth <= ${changes}.clientWidth`)).toBe(true);
    expect(await page.evaluate(`getComputedStyle(${changes}).fontVariantNumeric`)).toBe('tabular-nums');
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  it('opens a log of a million lines, and scrolls it without stopping', async () => {
    const file = join(folder, 'million.log');
    const at = (n: number) => new Date(1_790_000_000_000 + n * 10).toISOString();
    const line = (n: number) =>
      `{"level":"info","time":"${at(n)}","event":"decision","phase":"access","decision":"permit","request_id":"m-${n}","method":"GET","path":"/m/${n}","provider_ms":${n % 90}}\n`;
    for (let n = 0; n < 1_000_000; n += 50_000)
      appendFileSync(file, Array.from({ length: 50_000 }, (_, i) => line(n + i)).join(''));
    const server = await startInspect(file);
    try {
      expect(server.output()).toMatch(/its first 9\d\d,\d\d\d lines are not read/);
      await opened(server);
      // Before it looks: asking again and again would slow the page down.
      await page.getByText('20,000 requests').waitFor();
      await until('the newest is on top', async () => (await ids(page))[0] === 'GET /m/999999');
      const frames = await page.evaluate<{ longest: number; median: number; rows: number }>(SCROLL);
      // A machine that others use too; by itself each of them takes about 16 ms.
      expect(frames.median).toBeLessThan(60);
      expect(frames.rows).toBeLessThan(80);
      console.log(`scrolling: ${JSON.stringify(frames)}`);
    } finally {
      await server.end();
    }
  }, 150_000);

  it('grows with the log, and waits while it is paused', async () => {
    const growing = join(folder, 'growing.log');
    writeFileSync(
      growing,
      logLines((to) => writeChanged(to, 'g-1', '/first')),
    );
    const server = await startInspect(growing);
    try {
      await opened(server);
      await until('the first is there', async () => (await ids(page)).join() === 'POST /first');
      appendLog(growing, (to) => writeChanged(to, 'g-2', '/second'));
      await until('the second is on top', async () => (await ids(page))[0] === 'POST /second');
      await page.getByRole('button', { name: 'Pause' }).click();
      appendLog(growing, (to) => writeChanged(to, 'g-3', '/third'));
      await page.getByRole('button', { name: 'Resume 1 new' }).waitFor();
      expect(await ids(page)).toHaveLength(2);
      await page.getByRole('button', { name: 'Resume' }).click();
      await until('the third is there', async () => (await ids(page))[0] === 'POST /third');
      await server.end();
      await page.getByText('connection lost').waitFor();
    } finally {
      await server.end();
    }
  });

  it('shows nothing to a browser without the link', async () => {
    const stranger = await browser.newPage();
    await stranger.goto(inspect.origin);
    await stranger.getByRole('heading', { name: 'This page needs its link' }).waitFor();
    await stranger.close();
  });

  it('stands a hostile log of 30,000 lines', async () => {
    const hostile = join(folder, 'hostile.log');
    const evil = '<script>alert(1)</script><img src=x onerror=alert(2)>';
    const line = (id: number) =>
      `{"level":"info","time":"2026-11-25T10:00:00.${String(id % 1000).padStart(3, '0')}Z","event":"decision","phase":"access","decision":"deny","request_id":"h-${id}","status":403,"provider_ms":${id % 50}}`;
    writeFileSync(hostile, `${Array.from({ length: 30_000 }, (_, id) => line(id)).join('\n')}\n`);
    const big = 'x'.repeat(1024 * 1024);
    appendFileSync(
      hostile,
      `{"event":"decision","phase":"access","broken\n{"event":"decision","phase":["${big}"]}\n`,
    );
    appendFileSync(
      hostile,
      `${JSON.stringify({ event: 'decision', phase: 'access', decision: 'refuse', code: evil, detail: big, request_id: big })}\n`,
    );
    appendLog(hostile, (to) => {
      const payload = {
        method: evil,
        url: `https://x/${evil}`,
        headers: [{ [evil]: evil }],
        body: `{"${evil}":"\u202e"}`,
      };
      to.sidebandExchange({
        phase: 'access',
        requestId: evil,
        provider: evil,
        secretHeaderName: 'x',
        payload: JSON.stringify(payload),
        answer: evil,
      });
      to.decision({ phase: 'access', outcome: 'deny', requestId: evil, routeId: evil, changed: [evil] });
    });
    const server = await startInspect(hostile, '--keep', '10000');
    try {
      await opened(server);
      await page.getByText('2 unreadable lines').waitFor();
      const grid = page.getByRole('grid');
      await until(
        'all that is kept is there',
        async () => (await grid.getAttribute('aria-rowcount')) === '10001',
      );
      expect(await page.locator('.rows .row').count()).toBeLessThan(80);
      // The count is reached long before the last line is read.
      const newest = page.locator('.rows .row').first();
      await until('the last line is read', async () => (await newest.innerText()).includes('<script>'));
      await newest.click();
      await page.locator('.exchange .message').waitFor();
      expect(await page.locator('.exchange h2').innerText()).toContain('<script>alert(1)</script>');
      expect(await page.locator('.exchange').innerText()).toContain('\\u202e');
      await grid.focus();
      await page.keyboard.press('Escape');
      await page.keyboard.press('End');
      await until('the oldest is in sight', async () => (await ids(page)).at(-1) === 'h-20002');
      expect(await page.locator('script:not([src]), .rows img, .exchange img').count()).toBe(0);
    } finally {
      await server.end();
    }
  }, 150_000);

  it('made no browser complain: no error, nothing that the policy of the page forbids', () => {
    const expected = /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|net::|401 \(Unauthorized\)/;
    expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
  });
});

/** Scrolls 120 times by a screen, and tells how long each frame took. */
const SCROLL = `new Promise((done) => {
  const grid = document.querySelector('.grid');
  const times = [];
  let before = performance.now();
  const step = () => {
    const now = performance.now();
    times.push(now - before);
    before = now;
    grid.scrollTop += grid.clientHeight;
    if (times.length < 120) requestAnimationFrame(step);
    else {
      times.sort((a, b) => a - b);
      done({ longest: times.at(-1), median: times[60], rows: document.querySelectorAll('.rows .row').length });
    }
  };
  requestAnimationFrame(step);
})`;

const ROUTE = '1f2e3d4c-0000-4000-8000-0000000000aa';

/** Of what axe-core says, the little that is looked at here. */
interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** Evaluated by the debugger: the page's own policy would not let a script in. */
function readAxe(): string {
  return `${readFileSync(axe, 'utf8')}; undefined`;
}
