#!/usr/bin/env -S npx tsx
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { parseKongConf } from './config/kong-conf.js';
import type { LogLine } from './kong-log.js';
import { startKong } from './start-kong.js';

const BANNER = `
  This is NOT Kong. It is a stand-in for tests and demos: it runs plugin servers and
  treats requests as recordings of a Kong 3.9.3 do, and it protects nothing.
`;

const options = new Command('kong-stand-in')
  .description('A stand-in for Kong Gateway that runs external plugin servers')
  .requiredOption('--conf <file>', 'settings, as in kong.conf')
  .requiredOption('--config <file>', 'services, routes and plugins, as in kong.yml')
  .option('--verbose', "show every log line, the plugin servers' output included")
  .parse()
  .opts<{ conf: string; config: string; verbose?: boolean }>();

async function main(): Promise<void> {
  process.stdout.write(BANNER);
  const conf = parseKongConf(readFileSync(options.conf, 'utf8'));
  const kong = await startKong({ conf, file: options.config });
  const print = ({ level, message }: LogLine) => {
    if (options.verbose === true || !['debug', 'info'].includes(level))
      process.stderr.write(`[${level}] ${message}\n`);
  };
  for (const line of kong.log.lines) print(line);
  kong.log.on('line', print);
  if (kong.proxyPort > 0) process.stdout.write(`  listening on http port ${kong.proxyPort}\n`);
  if (kong.tlsPort > 0) process.stdout.write(`  listening on https port ${kong.tlsPort}\n`);

  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void kong.stop().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop).on('disconnect', stop);
  // Ctrl-C reaches the whole group; the program that started this one ends it in order.
  process.on('SIGINT', () => process.connected || stop());
  process.send?.({ url: `http://127.0.0.1:${kong.proxyPort}` });
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
  process.disconnect?.();
});
