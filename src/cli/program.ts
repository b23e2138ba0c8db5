import { Command } from 'commander';
import { VERSION } from '../version.js';
import { checkCommand } from './check/command.js';
import { explainCommand } from './explain/command.js';
import { inspectCommand } from './inspect/command.js';
import { replayCommand } from './replay/command.js';
import { shadowCommand } from './shadow/command.js';
import type { Terminal } from './terminal.js';
import { testCommand } from './test/command.js';

/** The command line of `ping-auth`; docs/command-line.md is made from it. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('ping-auth')
    .description('Tools for the ping-auth plugin of Kong Gateway.')
    .version(VERSION)
    .addCommand(checkCommand(terminal))
    .addCommand(explainCommand(terminal))
    .addCommand(inspectCommand(terminal))
    .addCommand(testCommand(terminal))
    .addCommand(replayCommand(terminal))
    .addCommand(shadowCommand(terminal));
  return program;
}
