import { setFlagsFromString } from 'node:v8';
import { run } from './pluginserver-command.js';

// On a large machine V8 lets the heap grow to gigabytes before it collects what large bodies left there: far beyond the budget of
// --max-inflight-bytes. This bounds what is not collected yet to a tenth of the heap (`npm run faults -- --only hostile`).
setFlagsFromString('--heap-growing-percent=10');

// No top-level await: the single executable (scripts/build-sea.mjs) is CommonJS, which has none.
void run(process.argv, {
  loadPlugin: () => import('../plugin/module.js'),
  loadManifest: () => import('../plugin/manifest.js'),
}).then((exitCode) => {
  process.exitCode = exitCode;
});
