import { run } from './pluginserver-command.js';

process.exitCode = await run(process.argv, {
  loadPlugin: () => import('../plugin/module.js'),
  loadManifest: () => import('../plugin/manifest.js'),
});
