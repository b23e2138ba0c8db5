import { Command } from 'commander';
import { VERSION } from '../version.js';
import { checkCommand, EXIT, type Terminal } from './check/command.js';
import { explainCommand } from './explain/command.js';
import { inspectCommand } from './inspect/command.js';

const terminal: Terminal = {
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  exitCode(code) {
    process.exitCode = code;
  },
};

const program = new Command('ping-auth')
  .description('Tools for the ping-auth plugin of Kong Gateway.')
  .version(VERSION)
  .exitOverride((error) => {
    // commander's own code for wrong usage is 1, which means "failed" here.
    process.exit(error.exitCode === 0 ? EXIT.allWell : EXIT.usage);
  })
  .addCommand(checkCommand(terminal))
  .addCommand(explainCommand(terminal))
  .addCommand(inspectCommand(terminal));
for (const command of program.commands) command.copyInheritedSettings(program);
// No top-level await: the single executable (scripts/build-sea.mjs) is CommonJS, which has none.
void program.parseAsync();
