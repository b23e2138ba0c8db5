// Loaded with --import and --expose-gc into the server that is measured: SIGUSR2 makes it collect its garbage and write what
// is left into the file that SOAK_REPORT names.
import { renameSync, writeFileSync } from 'node:fs';

const file = process.env.SOAK_REPORT;
process.on('SIGUSR2', () => {
  // Finalizers of the first round make garbage for the second.
  globalThis.gc();
  setTimeout(() => {
    globalThis.gc();
    const { heapUsed, external, rss } = process.memoryUsage();
    const handles = process.getActiveResourcesInfo().length;
    writeFileSync(`${file}.new`, JSON.stringify({ heapUsed, external, rss, handles }));
    renameSync(`${file}.new`, file);
  }, 200);
});
