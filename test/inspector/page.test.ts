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
    const way = await exchange.getByRole('list', { name: 'The way of the request' }).innerText();
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

  it('says of a refusal what it means and what to do, and how to see more', async () => {
    await opened(inspect, 'request=r-2');
    const exchange = page.getByRole('region', { name: 'Opened request' });
    await exchange.getByText('The policy provider did not answer within the deadline').waitFor();
    expect(await exchange.innerText()).toMatch(/find the\s+slow decision with the correlation_id/);
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
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 780 });
      await opened(inspect, query);
      await page
        .locator(query === '' ? '.rows .row' : '.phase')
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
