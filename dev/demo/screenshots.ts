// Makes the pictures of docs/images from the demo's stories, in Debian's Chromium: npm run screenshots
import { mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startBrowser } from '../../test/inspector/browser.js';
import { Closing } from '../closing.js';
import { sendRequest } from '../http-client.js';
import { startInspectPage } from './inspect-page.js';
import { startDemoStack } from './stack.js';
import { STORIES } from './stories.js';

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const ROUNDS = 14;

/** `open`: a text in the row that is opened. */
const PICTURES = [
  { file: 'inspect.png', colorScheme: 'light', width: 1360, height: 940, open: '/bank/transfers' },
  { file: 'inspect-dark.png', colorScheme: 'dark', width: 1360, height: 850, open: 'provider_unreachable' },
  { file: 'inspect-narrow.png', colorScheme: 'light', width: 360, height: 740, open: undefined },
] as const;

const closing = new Closing();
try {
  const stack = await startDemoStack({ kong: 0, provider: 0, upstream: 0 });
  closing.add(() => stack.close());
  for (let round = 0; round < ROUNDS; round += 1) {
    const isLast = round === ROUNDS - 1;
    for (const story of STORIES) {
      if (story.providerDown && !isLast) continue;
      if (story.providerDown) await stack.shootProvider();
      await sendRequest(stack.kongUrl, story.request);
      if (story.providerDown) await stack.reviveProvider();
      // So that the plots have something to show.
      await pause(250 + 200 * Math.sin(round));
    }
  }
  const inspect = await startInspectPage(stack.logFile, 0);
  closing.add(() => inspect.end());
  const browser = await startBrowser();
  closing.add(() => browser.close());
  mkdirSync(IMAGES, { recursive: true });
  const page = await browser.newPage();
  await page.goto(inspect.url());
  for (const { file, colorScheme, width, height, open } of PICTURES) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height });
    await page.goto(new URL('/', inspect.url()).href);
    await page.locator('.rows .row').first().waitFor();
    if (open !== undefined) {
      await page.locator('.rows .row', { hasText: open }).first().click();
      await page.locator('.exchange .phase').first().waitFor();
    }
    // Two frames, so that the plots are drawn.
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    await page.screenshot({ path: `${IMAGES}${file}` });
    console.log(`docs/images/${file}`);
  }
} finally {
  await closing.close();
}
