import { createProgram } from './program.js';
import { EXIT, safeStream, type Terminal } from './terminal.js';

const terminal: Terminal = {
  environment: process.env,
  stdout: safeStream(process.stdout),
  stderr: safeStream(process.stderr),
  exitCode(code) {
    process.exitCode = code;
  },
};

const NOT_THE_SERVER = `ping-auth: a command is missing (ping-auth --help). Did Kong start this? It is the tool, not the plugin server: Kong runs /usr/local/bin/NAME for a NAME in pluginserver_names that has no start_cmd. Write pluginserver_names = ping-auth-server, and name the other lines after it (kong/kong.conf).
`;

const program = createProgram(terminal).exitOverride((error) => {
  // commander's own code for wrong usage is 1, which means "failed" here.
  process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
});
program.configureOutput({
  writeOut: (text) => terminal.stdout.write(text),
  writeErr: (text) => terminal.stderr.write(text),
});
for (const command of program.commands) command.copyInheritedSettings(program);
// For a plugin server NAME without commands of its own, Kong runs /usr/local/bin/NAME, some versions with -dump: once a second.
if (['', '-dump'].includes(process.argv.slice(2).join(' ')) && !process.stdout.isTTY) {
  process.stderr.write(NOT_THE_SERVER);
  process.exit(EXIT.usage);
}
// No top-level await: the single executable (scripts/build-sea.mjs) is CommonJS, which has none.
void program.parseAsync();
