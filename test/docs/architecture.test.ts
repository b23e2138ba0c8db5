// docs/contributors/architecture.md tells where a request goes and who knows whom. Both are looked up in the program itself: V8 counts what
// one request runs, and the imports of src/ are read.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientRequest } from '../../dev/http-client.js';
import { type Executed, type ObservedServer, startObservedServer } from '../support/executed-code.js';
import { circles, type Import, importsBelow } from './imports.js';
import { read, root } from './pages.js';

const PAGE = read('docs/contributors/architecture.md');
/** Files that run once for each header. */
const MAX_HANDS = 9;
/** Of src/, in both phases of a plain GET. */
const MAX_FILES = 39;

/** The text between a heading and the next one of the same kind. */
function section(heading: string): string {
  const [, text = ''] =
    new RegExp(`^## ${heading}\n([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`, 'm').exec(PAGE) ?? [];
  expect(text, `## ${heading}`).not.toBe('');
  return text;
}

/** The rows of the tables of a section, each as its cells. */
function rows(heading: string): readonly (readonly string[])[] {
  return [...section(heading).matchAll(/^\| (`.*) \|$/gm)].map(([, row = '']) => row.split(' | '));
}

it('every file and folder that the page names is there', () => {
  const named = [...PAGE.matchAll(/`([\w.-]+(?:\/[\w.-]*)+)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(80);
  const missing = named.filter(
    (path) => !existsSync(join(root, path)) && !existsSync(join(root, 'src', path)),
  );
  expect(missing).toEqual([]);
});

describe('the request lifecycle', () => {
  const MORE_HEADERS = 20;
  const few: ClientRequest = { method: 'GET', path: '/orders?page=2', headers: [['accept', '*/*']] };
  const many: ClientRequest = {
    ...few,
    headers: [
      ...(few.headers ?? []),
      ...Array.from({ length: MORE_HEADERS }, (_, n) => [`x-header-${n}`, `value ${n}`] as const),
    ],
  };
  let server: ObservedServer;
  let ranForFew: Executed;
  let ranForMany: Executed;

  beforeAll(async () => {
    server = await startObservedServer();
    // The first request starts the instance and opens a connection; it also teaches what this Kong offers.
    await server.executedBy(many);
    ranForFew = await server.executedBy(few);
    ranForMany = await server.executedBy(many);
  });
  afterAll(() => server?.close());

  it('runs through few files', () => {
    expect([...ranForFew.keys()].length, [...ranForFew.keys()].sort().join('\n')).toBeLessThanOrEqual(
      MAX_FILES,
    );
  });

  it('is the same for a request with more headers', () => {
    expect([...ranForMany.keys()].sort()).toEqual([...ranForFew.keys()].sort());
  });

  it('shows each header to few files', () => {
    const seeing = [...ranForMany].filter(([file, counts]) =>
      Object.entries(counts).some(
        ([piece, count]) => count - (ranForFew.get(file)?.[piece] ?? 0) >= MORE_HEADERS,
      ),
    );
    expect(seeing.length, seeing.map(([file]) => file).join('\n')).toBeLessThanOrEqual(MAX_HANDS);
  });
});

describe('the modules', () => {
  const imports = importsBelow('src');
  const rooms = rows('Modules').filter(([folder = '']) => folder.startsWith('`src/'));
  /** undefined: a file of src/ itself. */
  const roomOf = (file: string) => /^src\/([^/]+)\//.exec(file)?.[1];
  const outside = (room: string) =>
    [...imports].flatMap(([file, list]) =>
      roomOf(file) === room
        ? list.filter(({ to }) => roomOf(to) !== room).map((one) => ({ file, ...one }))
        : [],
    );

  it('are all on the page', () => {
    const there = new Set([...imports.keys()].map(roomOf).filter((room) => room !== undefined));
    expect(rooms.map(([folder = '']) => folder.slice(5, -2)).sort()).toEqual([...there].sort());
  });

  it.each(rooms)('%s imports no other modules than the page says', (folder = '', _holds, told = '') => {
    const known = outside(folder.slice(5, -2))
      .map(({ to }) => roomOf(to))
      .filter((room) => room !== undefined);
    if (told === 'all') return;
    expect([...new Set(known)].sort()).toEqual(told === '–' ? [] : told.split(', ').sort());
  });

  /** Packages, without `node:`. */
  const packages = (room: string) =>
    outside(room)
      .map(({ to }) => to)
      .filter((to) => !to.startsWith('src/') && !to.startsWith('node:'));

  it.each(rooms)('%s uses no other libraries', (folder = '', _holds, _told, libraries = '') => {
    if (libraries.endsWith('…')) return;
    for (const name of packages(folder.slice(5, -2))) {
      const told = name.startsWith('@opentelemetry/api')
        ? 'OpenTelemetry'
        : name.replace(/^@/, '').split('/')[0];
      expect(libraries, name).toContain(told);
    }
  });

  it.each(['http', 'directives', 'mcp'])('src/%s/ does nothing but compute', (room) => {
    const pure = ['node:buffer', 'node:crypto', 'node:zlib'];
    // The names of the statuses are a table.
    const table = /^import \{ STATUS_CODES \} from 'node:http';$/m;
    for (const { file, to } of outside(room)) {
      if (!to.startsWith('node:') || pure.includes(to)) continue;
      expect(`${to} in ${file}`).toBe(`node:http in ${file}`);
      expect(read(file), file).toMatch(table);
    }
  });

  it('import nothing from outside src/', () => {
    const strangers = [...imports].flatMap(([file, list]) =>
      list.filter(({ to }) => /^(dev|test|bench|scripts|kong)\//.test(to)).map(({ to }) => `${file} → ${to}`),
    );
    expect(strangers).toEqual([]);
  });

  it('have no circles of imports, neither of code nor of types', () => {
    expect(circles(imports)).toEqual([]);
  });
});

it('the README of the plugin server has a place for each of its files, and for no other', () => {
  const folder = 'src/pluginserver';
  const cells = [...read(`${folder}/README.md`).matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = '']) => cell);
  const named = cells.flatMap((cell) => [...cell.matchAll(/`([\w/.-]+)`/g)].map(([, file = '']) => file));
  const there = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.(ts|proto)$/.test(file) && !file.endsWith('.test.ts'),
  );
  expect(named.sort()).toEqual(there.sort());
});

describe('the reader of imports', () => {
  it('sees every form', () => {
    const all = [...importsBelow('src').values()].flat();
    const has = (wanted: Import) =>
      all.some(({ to, typeOnly }) => to === wanted.to && typeOnly === wanted.typeOnly);
    expect(has({ to: 'src/plugin/module.ts', typeOnly: false }), 'import()').toBe(true);
    expect(has({ to: 'undici', typeOnly: false })).toBe(true);
    expect(has({ to: 'src/kong/kong-pdk.ts', typeOnly: true })).toBe(true);
    const unresolved = all.filter(({ to }) => to.startsWith('src/') && !existsSync(join(root, to)));
    expect(unresolved).toEqual([]);
  });

  it('finds circles', () => {
    const to = (...files: string[]) => files.map((file) => ({ to: file, typeOnly: false }));
    const graph = new Map([
      ['a', to('b', 'c')],
      ['b', to('c', 'x')],
      ['c', to('b')],
    ]);
    expect(circles(graph)).toEqual(['b → c → b']);
  });
});
