// Preloaded into a plugin server with --import, by executed-code.ts only. At each SIGUSR2, V8 is asked how often each piece of code
// ran since the last one; what ran goes into the file that EXECUTED_CODE names: counts by place in the file, by URL.
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

const file = process.env.EXECUTED_CODE;
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

process.on('SIGUSR2', async () => {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const counts = {};
  for (const { url, functions } of result) {
    const ran = functions.flatMap(({ ranges }) => ranges).filter(({ count }) => count > 0);
    if (ran.length > 0)
      counts[url] = Object.fromEntries(
        ran.map(({ startOffset, endOffset, count }) => [`${startOffset}-${endOffset}`, count]),
      );
  }
  writeFileSync(`${file}.new`, JSON.stringify(counts));
  renameSync(`${file}.new`, file);
});
