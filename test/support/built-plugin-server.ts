import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from './until.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUNDLE = `${ROOT}dist/bin/ping-auth-pluginserver.mjs`;
const LOCK = `${ROOT}node_modules/.ping-auth-build-lock`;
/** A lock this old belongs to a run that was killed. */
const STALE_LOCK_MS = 60_000;

/**
 * Path of the bundled plugin server, rebuilt when a source is newer than it. `npm test` has built it already; this is
 * for `npx vitest run test/e2e` after an edit. Safe when several test processes ask at once. PING_AUTH_PLUGINSERVER names
 * another file to test: an installed package's, an older one's.
 */
export async function builtPluginServer(): Promise<string> {
  const given = process.env.PING_AUTH_PLUGINSERVER;
  if (given !== undefined) return given;
  if (isFresh()) return BUNDLE;
  await until('another test process has built', takeLock, STALE_LOCK_MS * 2);
  try {
    if (!isFresh())
      execFileSync(process.execPath, [`${ROOT}scripts/build.mjs`, '--quick'], { stdio: 'pipe' });
  } finally {
    rmdirSync(LOCK);
  }
  return BUNDLE;
}

/** Whether a built file is newer than every source. */
export function isFresh(file = BUNDLE): boolean {
  const built = modified(file);
  return readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(tsx?|css|html|svg)$/.test(file) && !file.endsWith('.test.ts'))
    .every((file) => modified(`${ROOT}src/${file}`) <= built);
}

function takeLock(): boolean {
  try {
    mkdirSync(LOCK);
    return true;
  } catch {
    const taken = modified(LOCK);
    if (taken > 0 && Date.now() - taken > STALE_LOCK_MS) rmdirSync(LOCK);
    return false;
  }
}

/** 0 for what is not there. */
function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Path of the plugin for the stock kong-js-pluginserver. */
export async function builtJsPlugin(): Promise<string> {
  await builtPluginServer();
  return `${ROOT}dist/js-plugins/ping-auth.cjs`;
}
