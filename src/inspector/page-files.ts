import type { PageFiles } from './server.js';

/** PageFiles as JSON, put in by scripts/build.mjs, so that the executable stays one file. */
declare const INSPECTOR_PAGE: string | undefined;

/** @throws Error in a source tree: there the page has not been made */
export function pageFiles(): PageFiles {
  if (typeof INSPECTOR_PAGE === 'undefined')
    throw new Error('the page is not built: run dist/bin/ping-auth.mjs of npm run build');
  return JSON.parse(INSPECTOR_PAGE) as PageFiles;
}
