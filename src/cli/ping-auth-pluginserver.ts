import { run } from './pluginserver-command.js';

// No top-level await: the single executable (scripts/build-sea.mjs) is CommonJS, which has none.
void run(process.argv, {
  loadPlugin: () => import('../plugin/module.js'),
  loadManifest: () => import('../plugin/manifest.js'),
}).then((exitCode) => {
  process.exitCode = exitCode;
});
