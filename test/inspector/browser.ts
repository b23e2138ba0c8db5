import { type Browser, chromium } from 'playwright-core';
import { findTool } from '../support/tools.js';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const HOW_TO_INSTALL =
  'no Chromium here: apt-get install chromium, or set PING_AUTH_CHROMIUM to its path, to test the page of ping-auth inspect';

/** PING_AUTH_CHROMIUM, or where Debian and others install it. */
export const CHROMIUM = process.env.PING_AUTH_CHROMIUM ?? findTool(PLACES, HOW_TO_INSTALL);

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
