import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readDeclarativeFile } from './declarative-file.js';
import { guardFinding, guardIn } from './guard.js';

const read = (path: string) => readFileSync(new URL(`../../../kong/${path}`, import.meta.url), 'utf8');
const own = JSON.stringify(parse(read('guard/own-server.yml')).plugins[0]);
const other = '{ name: post-function, config: { header_filter: [return] } }';

/** Status and text for each configuration of ping-auth. */
const findings = (text: string) => {
  const functions = readDeclarativeFile(text, 'post-function').entries;
  return readDeclarativeFile(text, 'ping-auth').entries.map((entry) => {
    const { status, text: words } = guardFinding(entry, functions);
    return `${entry.where}: ${status} ${words}`;
  });
};

describe('the guard in a declarative file', () => {
  it.each([
    ['kong.yml', /ok the guard is there/],
    ['deck.yaml', /ok the guard is there/],
    ['compose/kong.yml', /ok the guard is there/],
    ['kubernetes/kong-plugin.yaml', /ok a guard is among the manifests/],
  ])('is in kong/%s, for every configuration', (path, words) => {
    const found = findings(read(path));
    expect(found.length).toBeGreaterThan(0);
    for (const finding of found) expect(finding).toMatch(words);
  });

  it('may stand at the same place or at one around it', () => {
    const text = `
services:
  - name: a
    plugins: [{ name: ping-auth }]
    routes: [{ name: r, plugins: [{ name: ping-auth }, ${own}] }]
plugins: [${own}]
`;
    expect(findings(text)).toEqual([
      'service a: ok the guard is there (global)',
      'service a, route r: ok the guard is there (service a, route r)',
    ]);
  });

  it('is missing: none at all, switched off, or of another service', () => {
    for (const plugins of ['', own.replace('{', '{"enabled":false,'), own.replace('{', '{"service":"b",')]) {
      expect(findings(`plugins: [{ name: ping-auth, service: a }, ${plugins}]`)).toEqual([
        expect.stringMatching(/^service a: warning no guard: /),
      ]);
    }
  });

  it('is hidden by another post-function at a narrower place', () => {
    const text = `
services:
  - name: a
    plugins: [{ name: ping-auth }]
    routes: [{ name: r, plugins: [${other}] }]
plugins: [{ name: ping-auth }, ${own}]
`;
    expect(findings(text)).toEqual([
      expect.stringMatching(/^global: warning another post-function.*\(service a, route r\)/),
      expect.stringMatching(/^service a: warning another post-function.*\(service a, route r\)/),
    ]);
    expect(
      findings(text.replace('plugins: [{ name: ping-auth }]', `plugins: [{ name: ping-auth }, ${other}]`))[1],
    ).toMatch(/\(service a; service a, route r\)/);
  });
});

it('the guards are told apart', () => {
  const config = (path: string) => parse(read(path)).plugins[0].config;
  expect(guardIn(config('guard/own-server.yml'))).toBe('own');
  expect(guardIn(config('guard/kong.yml'))).toBe('stock');
  expect(guardIn({})).toBeUndefined();
});

it('of the stock server is not taken for that of our own server, whose text it holds', () => {
  expect(guardIn(parse(read('guard/kong.yml')).plugins[0].config)).toBe('stock');
});
