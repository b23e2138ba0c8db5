// The documentation promises nothing that the code does not have: options, fields, codes, metrics, links, snippets.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readDeclarativeFile } from '../../src/cli/check/declarative-file.js';
import { EXIT } from '../../src/cli/terminal.js';
import { FIELD_NAMES } from '../../src/config/schema.js';
import { ERRORS } from '../../src/errors/catalogue.js';
import { OUTCOMES } from '../../src/telemetry/decision-log.js';
import { aggregateSnapshots, createMetrics } from '../../src/telemetry/metrics.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { providerStatus } from '../support/provider-status.js';
import { inlineCode, pages, read, root, snippets } from './pages.js';

/** GitHub's rule for the anchor of a heading, as far as our headings need it. */
const anchors = (text: string) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

describe('links', () => {
  it.each(pages)('$path', ({ path, text }) => {
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const page = file === '' ? path : join(dirname(path), file);
      expect(existsSync(join(root, page)), `${path} → ${target}`).toBe(true);
      if (anchor !== undefined) expect(anchors(read(page)), `${path} → ${target}`).toContain(anchor);
    }
  });
});

describe('errors', () => {
  it('has a section for every error code, and for no other', () => {
    const sections = [...read('docs/errors.md').matchAll(/^### `(.*)`$/gm)].map(([, code]) => code);
    expect(sections.sort()).toEqual(Object.keys(ERRORS).sort());
  });
});

describe('metrics', () => {
  it('are documented, each with its labels', async () => {
    const metrics = await createMetrics({ process: false });
    metrics.watch({ providers: () => [providerStatus('https://pa', { circuit: 'open' })] });
    metrics.decision({
      ...{ phase: 'access', outcome: 'refuse', code: 'provider_timeout', providerMs: 1 },
      mcp: { method: 'tools/call' },
    });
    metrics.shadow({ phase: 'access', result: 'same', routeId: 'r' });
    const { text } = await aggregateSnapshots([await metrics.snapshot()]);
    const page = read('docs/metrics.md');
    for (const [, name = ''] of page.matchAll(/^\| `(ping_auth_\w+)`/gm))
      expect(text).toContain(`# TYPE ${name} `);
    for (const [, name = ''] of text.matchAll(/^# TYPE (\S+)/gm)) {
      expect(page).toContain(`\`${name}\``);
      const [, labels = ''] = new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, 'm').exec(text) ?? [];
      const names = [...labels.matchAll(/([a-z]+)="/g)]
        .map(([, label]) => label)
        .filter((label) => label !== 'le');
      expect(page).toMatch(new RegExp(`\`${name}\`.* \\| ${names.join(', ')} ?\\|`));
    }
  });

  it('that other pages name exist', () => {
    const page = read('docs/metrics.md');
    for (const { path, text } of pages) {
      for (const [name] of text.matchAll(/\bping_auth_[a-z_]*[a-z]\b(?=[`{])/g))
        expect(page, path).toContain(name);
    }
  });
});

describe('decisions', () => {
  it('are documented', () => {
    const page = read('docs/logs.md');
    for (const outcome of OUTCOMES) {
      expect(page).toContain(outcome.startsWith('monitor_') ? '`monitor_…`' : `\`${outcome}\``);
    }
  });
});

describe('configurations in the documentation', () => {
  const entries = snippets
    .filter(({ language }) => language === 'yaml')
    .flatMap(({ path, text }) =>
      ['ping-auth', 'ping-auth-access'].flatMap((name) =>
        readDeclarativeFile(text, name).entries.map((entry) => ({ path, ...entry })),
      ),
    );

  it('are there', () => {
    expect(entries.length).toBeGreaterThan(2);
  });

  it.each(entries)('$path: $where has fields that exist', ({ config }) => {
    for (const field of Object.keys(config)) expect(FIELD_NAMES).toContain(field);
    expect(config).toHaveProperty('service_url');
  });
});

describe('commands in the documentation', () => {
  const help: Record<string, string> = {};
  const run = (executable: string, ...args: string[]) =>
    execFileSync(process.execPath, [executable, ...args], { encoding: 'utf8', stdio: 'pipe', env: {} });

  beforeAll(async () => {
    const pluginServer = await builtPluginServer();
    help['kong-js-pluginserver'] = run(
      createRequire(import.meta.url).resolve('kong-pdk/bin/kong-js-pluginserver'),
      '--help',
    );
    const pingAuth = join(dirname(pluginServer), 'ping-auth.mjs');
    help['ping-auth-pluginserver'] = run(pluginServer, '--help');
    for (const name of ['check', 'explain', 'inspect', 'test', 'replay', 'shadow'])
      help[`ping-auth ${name}`] = run(pingAuth, name, '--help');
  });

  const uses = [
    ...snippets.filter(({ language }) => ['sh', 'ini', 'text'].includes(language)),
    ...inlineCode,
  ].flatMap(({ path, text }) =>
    [
      ...text.matchAll(
        /\b(ping-auth-pluginserver|ping-auth (?:check|explain|inspect|test|replay))(?!\.)((?: [^\n`]*)?)/g,
      ),
    ].map(([, command = '', rest = '']) => ({ path, command, rest })),
  );

  it.each(uses)('$path: $command $rest', ({ command, rest }) => {
    for (const [option] of rest.matchAll(/(?<= )--[a-z-]+/g)) {
      expect(help[command]).toMatch(new RegExp(`^ +(?:-V, )?${option}\\b`, 'm'));
    }
  });

  it('name options of the plugin server that it has', () => {
    const known = Object.values(help).join('\n');
    for (const { path, text } of pages) {
      for (const [, option = ''] of text.matchAll(/`(--[a-z-]+)[^`]*`/g)) {
        if (option !== '--once') expect(known, path).toMatch(new RegExp(`^ +(?:-\\w, )?${option}\\b`, 'm'));
      }
    }
  });

  it('give the exit codes that the help gives, in one table', () => {
    const rows = [...read('docs/command-line.md').matchAll(/^\| `(ping-auth[\w -]*)` \| (.*) \|$/gm)];
    const table = new Map(rows.map(([, name = '', cells = '']) => [name, cells.split(' | ')]));
    expect([...table.keys()].sort()).toEqual(
      Object.keys(help)
        .filter((name) => name.startsWith('ping-auth'))
        .sort(),
    );
    for (const [name, cells] of table) {
      const [line] = /Exit codes:.*/.exec(help[name] ?? '') ?? [];
      if (line === undefined) continue;
      const inHelp = [...line.matchAll(/\b\d\b/g)].map(([code]) => Number(code));
      const inTable = Object.values(EXIT).filter((code) => (cells[code] ?? '–') !== '–');
      expect(inTable, name).toEqual(inHelp);
    }
    for (const { path, text } of pages)
      if (path !== 'docs/command-line.md') expect(text, path).not.toMatch(/Exit codes: \d/);
  });

  it('show a log line as it is written', () => {
    const line = snippets.find(
      ({ path, language }) => path === 'docs/getting-started.md' && language === 'json',
    );
    expect(Object.keys(JSON.parse(line?.text ?? '') as object)).toEqual(
      expect.arrayContaining(['level', 'time', 'phase', 'decision', 'request_id', 'msg']),
    );
  });
});
