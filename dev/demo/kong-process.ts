import { readFileSync } from 'node:fs';
import { parseKongConf } from '../kong/config/kong-conf.js';
import { startKong } from '../kong/start-kong.js';

// The Kong stand-in in a process of its own: kong.conf and kong.yml are the two arguments.
const [confFile = '', configFile = ''] = process.argv.slice(2);

try {
  const kong = await startKong({
    conf: parseKongConf(readFileSync(confFile, 'utf8')),
    file: configFile,
  });
  kong.log.on('line', ({ level, message }) => console.log(`[${level}] ${message}`));
  const stop = () => kong.stop().then(() => process.exit(0));
  // Ctrl-C reaches the whole group; the demo ends us in order.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', stop).on('disconnect', stop);
  process.send?.({ url: `http://127.0.0.1:${kong.proxyPort}` });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
  process.disconnect?.();
}
