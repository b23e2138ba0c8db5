import { caseFileJsonSchema } from '../../src/cli/test/case-schema.js';
import * as manifest from '../../src/plugin/manifest.js';
import { kongSchemaOf } from '../../src/pluginserver/dump.js';
import { commandLinePages } from './command-line.js';
import { errorPage } from './error-page.js';
import { fieldTable } from './field-table.js';
import { toLua } from './lua-schema.js';
import { tutorialConfig } from './tutorial-config.js';

/** A file that is wholly or partly made from the code. `render` gets what stands there now. */
export interface GeneratedFile {
  /** Relative to the project's folder. */
  readonly path: string;
  readonly render: (current: string) => string;
}

export const GENERATED_FILES: readonly GeneratedFile[] = [
  {
    path: 'kong/schema.lua',
    render: () =>
      [
        '-- Kong schema of the ping-auth plugin, for Konnect and for the control plane of a hybrid deployment.',
        '-- Made from src/config by `npm run generate`; change it there.',
        `return ${toLua(kongSchemaOf(manifest))}`,
        '',
      ].join('\n'),
  },
  { path: 'docs/configuration.md', render: (current) => between(current, 'fields', fieldTable()) },
  {
    path: 'docs/policy-tests.schema.json',
    render: () => `${JSON.stringify(caseFileJsonSchema(), undefined, 2)}\n`,
  },
  { path: 'docs/errors.md', render: (current) => between(current, 'errors', errorPage()) },
  {
    path: 'docs/getting-started.md',
    render: (current) => between(current, 'kong-yml', tutorialConfig()),
  },
  {
    path: 'docs/command-line.md',
    render: (current) => between(current, 'commands', commandLinePages()),
  },
];

/** Replaces what stands between `<!-- name:start … -->` and `<!-- name:end -->`. @throws Error without the markers. */
export function between(document: string, name: string, content: string): string {
  const parts = new RegExp(`^([^]*<!-- ${name}:start[^>]*-->\n)[^]*(\n<!-- ${name}:end -->[^]*)$`).exec(
    document,
  );
  const [, before, after] = parts ?? [];
  if (before === undefined || after === undefined)
    throw new Error(`the markers ${name}:start and ${name}:end are missing`);
  return `${before}\n${content}\n${after}`;
}
