import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { between, GENERATED_FILES } from '../../scripts/generated/generated-files.js';
import { LUA } from '../../test/support/tools.js';
import * as manifest from '../plugin/manifest.js';
import { kongSchemaOf } from '../pluginserver/dump.js';
import type { KongField } from './kong-field.js';
import { parseConfig } from './parse-config.js';
import { ENTITY_CHECKS, FIELD_NAMES, KONG_SCHEMA_FIELDS } from './schema.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const fields = new Map(KONG_SCHEMA_FIELDS.flatMap((pair) => Object.entries(pair)));

/** Attributes that Kong 3.9.3 was seen to accept; with an unknown one it refuses to start. */
const ACCEPTED = new Set([
  ...[
    'type',
    'description',
    'required',
    'default',
    'referenceable',
    'encrypted',
    'one_of',
    'not_one_of',
    'gt',
  ],
  ...['between', 'len_max', 'match_all', 'match_none', 'elements'],
]);

describe('what makes Kong refuse to start', () => {
  test.each([...fields])(
    '%s has only known attributes and a description of 10 to 500 characters',
    (_, field) => {
      expect(field.description?.length).toBeGreaterThanOrEqual(10);
      expect(field.description?.length).toBeLessThanOrEqual(500);
      for (const attribute of [...Object.keys(field), ...Object.keys(field.elements ?? {})]) {
        expect(ACCEPTED).toContain(attribute);
      }
    },
  );

  test('every entry of the list holds one field', () => {
    for (const entry of KONG_SCHEMA_FIELDS) expect(Object.keys(entry)).toHaveLength(1);
  });

  test('defaults keep their own rules, and are the ones of our own check', () => {
    const required = { service_url: 'https://h', shared_secret: 's', secret_header_name: 'x' };
    const parsed: Record<string, unknown> = parseConfig(required);
    for (const [name, field] of fields) {
      if (field.required) continue;
      expect(parsed[name], name).toEqual(field.default);
      if (field.between) {
        const value = field.default ?? field.between[0];
        expect(value).toBeGreaterThanOrEqual(field.between[0]);
        expect(value).toBeLessThanOrEqual(field.between[1]);
      }
      if (field.one_of) expect(field.one_of).toContain(field.default);
    }
  });
});

test('the seven fields of the existing plugin keep type, default and being required', () => {
  const known = (name: string): Partial<KongField> => {
    const { type, required, default: value, gt } = fields.get(name) ?? {};
    return {
      ...(type && { type }),
      ...(required && { required }),
      ...(value !== undefined && { default: value }),
      ...(gt !== undefined && { gt }),
    };
  };
  expect(known('service_url')).toEqual({ type: 'string', required: true });
  expect(known('shared_secret')).toEqual({ type: 'string', required: true });
  // Kong Manager's form has the value in it; before, an admin had to know the name.
  expect(known('secret_header_name')).toEqual({ type: 'string', required: true, default: 'CLIENT-TOKEN' });
  expect(known('connection_timeout_ms')).toEqual({ type: 'integer', default: 10_000, gt: 0 });
  expect(known('connection_keepAlive_ms')).toEqual({ type: 'integer', default: 60_000, gt: 0 });
  expect(known('verify_service_certificate')).toEqual({ type: 'boolean', default: true });
  expect(known('enable_debug_logging')).toEqual({ type: 'boolean', default: false });
});

test('only the three known fields are required, so an existing configuration stays valid', () => {
  const required = [...fields].filter(([, field]) => field.required).map(([name]) => name);
  expect(required).toEqual(['service_url', 'shared_secret', 'secret_header_name']);
});

// Kong 3.9.3 does not start with `mode: null` in a kong.yml where mode is required, default or not ("required field missing").
test('mode is not required, so that an explicit null stays valid', () => {
  expect(fields.get('mode')?.required).toBeUndefined();
});

describe('as a form in Kong Manager', () => {
  const described = [...fields].map(([name, { description = '', ...field }]) => ({
    name,
    description,
    field,
  }));

  test.each(described)('$name is described for a tooltip that renders Markdown', ({ description, field }) => {
    // A bare URL becomes a link.
    expect(description.replaceAll(/`[^`]*`/g, '')).not.toContain('://');
    expect(description).toBe(description.trim());
    expect(description).not.toMatch(/[^\n]\n[^\n]|\n[-*] /);
    for (const value of field.one_of ?? []) expect(description).toContain(`**${value}**: `);
    const { between, default: value } = field;
    if (between) expect(description).toMatch(/From [^.]* to [^.]*[.;]/);
    if (between && value !== undefined) expect(description).toMatch(new RegExp(`empty: ${value}\\b`));
    if (field.referenceable)
      expect(description).toMatch(/`{vault:\/\/env\/ping-auth-[a-z-]+}` is .* `PING_AUTH_[A-Z_]+` of Kong/);
  });

  test('numbers are in words, too', () => {
    expect(fields.get('max_request_body_bytes')?.description).toContain(
      'From 1 to 104857600 (100 MiB); empty: 8388608 (8 MiB).',
    );
    expect(fields.get('connections')?.description).toContain('From 1 to 4096; empty: 64.');
    expect(fields.get('failover_retry_ms')?.description).toContain(
      'From 100 to 3600000 (1 hour); empty: 30000 (30 seconds).',
    );
  });

  test('a vault reference that lost a brace is refused at Save', () => {
    for (const [name, field] of fields) {
      const { referenceable, match_none = [] } = field.elements ?? field;
      if (!referenceable) continue;
      const texts = match_none.map(({ err }) => err);
      expect(texts, name).toContainEqual(expect.stringContaining('is an incomplete vault reference'));
      expect(texts, name).toContainEqual(expect.stringContaining('is a vault reference without braces'));
    }
  });
});

test('the plugin is offered for http and https, and the former default stays valid', () => {
  const protocolsOf = (phases: readonly string[]) => {
    const { fields: all } = kongSchemaOf({ ...manifest, Phases: phases }) as {
      fields: { protocols?: unknown }[];
    };
    return all[0]?.protocols;
  };
  const elements = { type: 'string', one_of: ['grpc', 'grpcs', 'http', 'https'] };
  expect(protocolsOf(manifest.Phases)).toMatchObject({ default: ['http', 'https'], elements });
  expect(protocolsOf(['access'])).toMatchObject({ default: elements.one_of, elements });
});

test('secrets can be vault references and are encrypted at rest', () => {
  for (const name of ['shared_secret', 'client_key']) {
    expect(fields.get(name)).toMatchObject({ referenceable: true, encrypted: true });
  }
});

describe('generated files', () => {
  test.each(GENERATED_FILES)('$path is up to date (npm run generate)', ({ path, render }) => {
    const current = readFileSync(`${root}${path}`, 'utf8');
    expect(current).toBe(render(current));
  });

  test('a document without markers is refused', () => {
    expect(() => between('# Title', 'fields', 'x')).toThrow(
      /markers fields:start and fields:end are missing/,
    );
  });

  test('the table has every field', () => {
    const document = readFileSync(`${root}docs/configuration.md`, 'utf8');
    for (const name of FIELD_NAMES) expect(document).toContain(`| \`${name}\` |`);
  });
});

describe.skipIf(LUA === undefined)('kong/schema.lua, run by a Lua', () => {
  /** Evaluates a Lua expression in which `schema` is the file. */
  function lua(expression: string): string {
    const script = `local schema = dofile("${root}kong/schema.lua"); print(${expression})`;
    return execFileSync(LUA ?? '', ['-e', script], { encoding: 'utf8' }).trim();
  }

  test('it is a table with the name and all fields', () => {
    expect(lua('schema.name')).toBe('ping-auth');
    expect(lua('#schema.fields[2].config.fields')).toBe(String(FIELD_NAMES.length));
    expect(lua('#schema.fields[2].config.entity_checks')).toBe(String(ENTITY_CHECKS.length));
  });

  const patterns = [...fields].flatMap(([name, field]) =>
    [field, field.elements ?? {}].flatMap((one: Partial<KongField>) => [
      ...(one.match_all ?? []).map(({ pattern }) => ({ name, pattern, wanted: true })),
      ...(one.match_none ?? []).map(({ pattern }) => ({ name, pattern, wanted: false })),
    ]),
  );
  const refusedByKong = (name: string, value: string): boolean =>
    patterns
      .filter((one) => one.name === name)
      .some(({ pattern, wanted }) => {
        const expression = `string.find(${JSON.stringify(value)}, ${JSON.stringify(pattern)}) ~= nil`;
        return (lua(expression) === 'true') !== wanted;
      });

  test.each([
    ['service_url', 'https://pa:3020/sideband'],
    ['service_url', 'https://pa:3020/sideband/request'],
    ['service_url', 'https://user:pw@pa:3020'],
    ['service_url', 'pa:3020'],
    ['service_url', 'https://'],
    ['shared_secret', 'x<client name>'],
    ['shared_secret', ' x'],
    ['shared_secret', '{vault://env/ping-auth-secret'],
    ['shared_secret', ' {vault://env/ping-auth-secret}'],
    ['shared_secret', '{{vault://env/ping-auth-secret}}'],
    ['shared_secret', 'vault://env/ping-auth-secret'],
    ['ca_certificate', '{vault://env/ping-auth-ca'],
    ['failover_service_urls', '{vault://env/ping-auth-url'],
    ['secret_header_name', 'A B'],
    ['secret_header_name', 'A:'],
    ['client_key', 'nonsense'],
    ['tls_server_name', 'https://x'],
    ['body_content_types', 'text/html; charset=utf-8'],
    ['excluded_request_headers', 'a b'],
  ])('Kong itself refuses %s = %j', (name, value) => {
    expect(refusedByKong(name, value)).toBe(true);
  });

  test.each([
    ['service_url', 'HTTPS://sideband.example.com:3020/a/b?c=d'],
    ['service_url', 'https://[::1]:3020/sideband-proxy'],
    ['service_url', 'https://h/p?user=a@b'],
    ['shared_secret', 'eyJhbGciOi.J9-_.x<y>'],
    ['shared_secret', 'vault:Zk4'],
    ['shared_secret', '{"key":"vault"}'],
    ['secret_header_name', 'CLIENT-TOKEN'],
    ['client_key', '-----BEGIN EC PRIVATE KEY-----'],
    ['client_key', '-----BEGIN PRIVATE KEY-----'],
    ['tls_server_name', 'pa-1.example.com'],
    ['body_content_types', '*+json'],
    ['body_content_types', 'application/vnd.api+json'],
  ])('Kong accepts %s = %j', (name, value) => {
    expect(refusedByKong(name, value)).toBe(false);
  });
});
