import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** PING_AUTH_CHROMIUM, or where Debian and others put it. */
export const CHROMIUM = process.env.PING_AUTH_CHROMIUM ?? PLACES.find((path) => existsSync(path));

export const HOW_TO_INSTALL =
  'no Chromium here: apt-get install chromium, or name one in PING_AUTH_CHROMIUM, to test the page of ping-auth inspect';

/** @throws Error when there is none; ask CHROMIUM first */
export function startBrowser(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error(HOW_TO_INSTALL);
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
