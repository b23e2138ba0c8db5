import type { Command } from 'commander';
import { defineCommand } from '../../src/cli/pluginserver-command.js';
import { createProgram } from '../../src/cli/program.js';
import type { Terminal } from '../../src/cli/terminal.js';

/** Columns that the help is laid out for, so that the page does not depend on a terminal. */
const WIDTH = 110;

/** The help of both executables and of each command, as Markdown. */
export function commandLinePages(): string {
  const program = createProgram(terminal);
  const sections = [
    section('ping-auth-pluginserver', defineCommand()),
    section('ping-auth', program),
    ...program.commands.map((command) => section(`ping-auth ${command.name()}`, command)),
  ];
  return sections.join('\n\n');
}

function section(title: string, command: Command): string {
  let help = '';
  command
    .configureHelp({ helpWidth: WIDTH })
    .configureOutput({ writeOut: (text) => (help += text), getOutHasColors: () => false })
    .outputHelp();
  return `## ${title}\n\n\`\`\`text\n${help.trim()}\n\`\`\``;
}

const nowhere = { write: () => true, isTTY: false };
const terminal: Terminal = {
  environment: {},
  stdout: nowhere,
  stderr: nowhere,
  exitCode() {},
};
