#!/usr/bin/env -S npx tsx
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { parseKongConf } from './config/kong-conf.js';
import { startKong } from './start-kong.js';

const BANNER = `
  This is NOT Kong. It is a stand-in for tests and demos: it runs plugin servers and
  treats requests as recordings of a Kong 3.9.3 do, and it protects nothing.
`;

const program = new Command('kong-stand-in')
  .description('A test double of Kong Gateway that runs external plugin servers')
  .requiredOption('--conf <file>', 'settings, as in kong.conf')
  .requiredOption('--config <file>', 'services, routes and plugins, as in kong.yml')
  .option('--verbose', 'show every log line, the plugin servers output included')
  .parse();
const options = program.opts<{ conf: string; config: string; verbose?: boolean }>();

process.stdout.write(BANNER);
const kong = await startKong({
  conf: parseKongConf(readFileSync(options.conf, 'utf8')),
  file: options.config,
});
const loud = new Set(['notice', 'warn', 'error', 'crit', 'alert']);
kong.log.on('line', ({ level, message }) => {
  if (options.verbose === true || loud.has(level)) process.stderr.write(`[${level}] ${message}\n`);
});
for (const { level, message } of kong.log.lines) {
  if (options.verbose === true || loud.has(level)) process.stderr.write(`[${level}] ${message}\n`);
}
if (kong.proxyPort > 0) process.stdout.write(`  listening on http port ${kong.proxyPort}\n`);
if (kong.tlsPort > 0) process.stdout.write(`  listening on https port ${kong.tlsPort}\n`);

let stopping = false;
const stop = (): void => {
  if (stopping) return;
  stopping = true;
  void kong.stop().then(() => process.exit(0));
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
