// What admins copy from kong/: parses, holds only fields that exist, and says the same everywhere.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readDeclarativeFile } from '../../src/cli/check/declarative-file.js';
import { ADMIN_LINE } from '../../src/cli/check/kong/kong-manager.js';
import { resolveReferences } from '../../src/cli/check/references.js';
import { parseConfig } from '../../src/config/parse-config.js';
import { FIELD_NAMES } from '../../src/config/schema.js';
import { MCP_HEADERS } from '../../src/mcp/headers.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { createAuthority } from '../support/certificates.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const files = ['docker-compose.yml', ...readdirSync(`${root}kong`, { recursive: true, encoding: 'utf8' })]
  .filter((file) => /\.ya?ml$/.test(file))
  .map((file) => (file === 'docker-compose.yml' ? file : `kong/${file}`));

describe('every YAML file', () => {
  it.each(files)('%s parses, without keys that occur twice', (path) => {
    for (const document of parseAllDocuments(read(path)))
      expect([...document.errors, ...document.warnings]).toEqual([]);
  });
});

describe('every configuration of the plugin', () => {
  const withPlugin = files.flatMap((path) =>
    readDeclarativeFile(read(path), 'ping-auth').entries.map((entry) => ({ path, ...entry })),
  );

  it('is found', () => {
    expect(withPlugin.map(({ path, where }) => `${path}: ${where}`)).toEqual(
      expect.arrayContaining([
        'kong/kong.yml: global',
        'kong/kong.yml: service orders',
        'kong/kong.yml: service catalogue, route catalogue-write',
        'kong/deck.yaml: service orders',
        'kong/compose/kong.yml: service shop',
        'kong/kubernetes/kong-plugin.yaml: KongPlugin default/ping-auth',
        'kong/kubernetes/kong-plugin.yaml: KongClusterPlugin ping-auth',
        'kong/mcp/kong.yml: service customers-mcp',
        'kong/mcp/deck.yaml: service customers-mcp',
        'kong/mcp/kubernetes.yaml: KongPlugin default/customers-mcp-ping-auth',
      ]),
    );
  });

  it.each(withPlugin)('$path ($where) is valid, and its secret is not in it', async ({ config, where }) => {
    for (const field of Object.keys(config)) expect(FIELD_NAMES).toContain(field);
    const environment = {
      PING_AUTH_SECRET: 'a-secret-1',
      PING_AUTH_CA: (await createAuthority()).cert,
      DECK_PING_AUTH_SERVICE_URL: 'https://pa.example:3020',
    };
    const { config: resolved, unresolved } = resolveReferences(config, environment, []);
    expect(unresolved).toEqual([]);
    // The secret of the KongClusterPlugin comes from its configPatches.
    const patched = where.startsWith('KongCluster') ? { ...resolved, shared_secret: 'a-secret-1' } : resolved;
    expect(parseConfig(patched).shared_secret).toBe('a-secret-1');
  });
});

describe('the guard', () => {
  const guards = files.flatMap((path) =>
    readDeclarativeFile(read(path), 'post-function').entries.map(({ config }) => ({ path, config })),
  );
  const [own] = guards.filter(({ path }) => path === 'kong/guard/own-server.yml');

  it('is the same text wherever it is recommended', () => {
    const others = guards.filter(({ path }) => !path.startsWith('kong/guard/'));
    expect(others.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'kong/kong.yml',
        'kong/deck.yaml',
        'kong/compose/kong.yml',
        'kong/kubernetes/kong-plugin.yaml',
        'kong/mcp/kong.yml',
        'kong/mcp/deck.yaml',
        'kong/mcp/kubernetes.yaml',
      ]),
    );
    for (const { path, config } of others) expect(config, path).toEqual(own?.config);
  });
});

describe('how Kong is told of the plugin server', () => {
  const conf = Object.fromEntries(
    [...read('kong/kong.conf').matchAll(/^([a-z_]+) = (.*)$/gm)].map(([, key, value]) => [key, value]),
  );
  /** A container has no log file: its log is that of Kong. */
  const inContainer = Object.fromEntries(
    Object.entries(conf).map(([key, value]) => [key, String(value).replace(/ --log-file \S+/, '')]),
  );
  const helm = (path: string) => parseAllDocuments(read(path))[0]?.toJS().env as Record<string, string>;
  const image = Object.fromEntries(
    [...read('kong/Dockerfile').matchAll(/^(?:ENV)? +KONG_([A-Z_]+)="?(.*?)"?(?: \\)?$/gm)].map(
      ([, key, value]) => [key?.toLowerCase(), value?.replaceAll('\\"', '"')],
    ),
  );

  it('is the same in kong.conf, the image and the Helm values', () => {
    expect(Object.keys(conf)).toEqual([
      'plugins',
      'pluginserver_names',
      'pluginserver_ping_auth_server_socket',
      'pluginserver_ping_auth_server_start_cmd',
      'pluginserver_ping_auth_server_query_cmd',
      'nginx_admin_access_by_lua',
    ]);
    expect(image).toEqual(inContainer);
    expect(helm('kong/helm-values.yaml')).toEqual({ ...inContainer, log_level: 'info' });
    const compose = parseAllDocuments(read('docker-compose.yml'))[0]?.toJS() as {
      services: { kong: { environment: Record<string, string> } };
    };
    const { environment } = compose.services.kong;
    expect(environment.KONG_NGINX_ADMIN_ACCESS_BY_LUA).toBe(conf.nginx_admin_access_by_lua);
  });

  it('holds the line for Kong Manager that `ping-auth check` and the documents name', () => {
    expect(ADMIN_LINE).toBe(`nginx_admin_access_by_lua = ${conf.nginx_admin_access_by_lua}`);
    for (const path of ['README.md', 'docs/getting-started.md', 'docs/kong-manager.md'])
      expect(read(path), path).toContain(ADMIN_LINE);
  });

  it('is the same beside the stock image, but for the folder of the executables', () => {
    const moved = Object.entries(helm('kong/helm-values.yaml')).map(([key, value]) => [
      key,
      value.replace('/usr/local/bin/ping-auth-pluginserver', '/opt/ping-auth/ping-auth-pluginserver'),
    ]);
    expect(helm('kong/kubernetes/init-container-values.yaml')).toEqual(Object.fromEntries(moved));
  });

  it('has a name that is none of our executables’, since Kong runs /usr/local/bin/NAME without a start command', () => {
    const { bin } = JSON.parse(read('package.json')) as { readonly bin: Record<string, string> };
    for (const name of conf.pluginserver_names?.split(',') ?? []) {
      expect(Object.keys(bin)).not.toContain(name);
      expect(Object.keys(bin)).not.toContain(`query_${name}`);
    }
  });

  it('leaves out the start command, and only that, where Kong does not start it', () => {
    const { pluginserver_ping_auth_server_start_cmd: _, ...rest } = conf;
    expect(helm('kong/kubernetes/sidecar-values.yaml')).toEqual({
      ...rest,
      pluginserver_ping_auth_server_query_cmd: 'cat /etc/ping-auth/dump.json',
    });
  });

  describe('uses options that the executable has', () => {
    let help: string;
    beforeAll(async () => {
      help = execFileSync(process.execPath, [await builtPluginServer(), '--help'], { encoding: 'utf8' });
    });

    it.each([
      'kong/kong.conf',
      'kong/Dockerfile',
      'kong/helm-values.yaml',
      'kong/kubernetes/sidecar-values.yaml',
      'kong/kubernetes/init-container-values.yaml',
      'kong/systemd/ping-auth-pluginserver.service',
    ])('%s', (path) => {
      // The options that follow the executable's name, on its line or as a YAML list under it.
      const uses = [...read(path).matchAll(/ping-auth-pluginserver( --[^\n"]*|\n(?:\s+- --[^\n]*\n)+)/g)];
      const options = uses.flatMap(([, text]) =>
        [...(text ?? '').matchAll(/(?<=[\s])--[a-z-]+/g)].map(String),
      );
      expect(options.length).toBeGreaterThan(0);
      for (const option of options) expect(help).toMatch(new RegExp(`^ +${option}\\b`, 'm'));
    });
  });
});

describe('the gateway for an MCP server', () => {
  const FILES = ['kong/mcp/kong.yml', 'kong/mcp/deck.yaml', 'kong/mcp/kubernetes.yaml'];
  const configsOf = (path: string, plugin: string) =>
    readDeclarativeFile(read(path), plugin).entries.map(({ config }) => config);

  it.each(FILES)(
    '%s serves the metadata where ping-auth says that it is, for the URL of its route',
    (path) => {
      const [config] = configsOf(path, 'ping-auth').map((one) =>
        parseConfig({ ...one, service_url: 'https://pa.example', shared_secret: 'a-secret-1' }),
      );
      const [termination] = configsOf(path, 'request-termination') as {
        status_code: number;
        content_type: string;
        body: string;
      }[];
      expect(termination).toMatchObject({ status_code: 200, content_type: 'application/json' });
      const document = JSON.parse(termination?.body ?? '') as {
        resource: string;
        authorization_servers: string[];
      };
      const { origin, pathname } = new URL(document.resource);
      expect(config?.mcp_resource_metadata_url).toBe(
        `${origin}/.well-known/oauth-protected-resource${pathname}`,
      );
      expect(read(path)).toContain(pathname);
      expect(document.authorization_servers).toEqual(['https://auth.example.com']);
    },
  );

  it.each(FILES)('%s lets the same web pages in by CORS and by Origin, with the headers of MCP', (path) => {
    const [config] = configsOf(path, 'ping-auth');
    const [cors, ofMetadata] = configsOf(path, 'cors') as {
      origins: string[];
      headers: string[];
      exposed_headers: string[];
    }[];
    expect(config).toMatchObject({ mcp: true, mcp_allowed_origins: cors?.origins });
    expect(cors?.headers.map((name) => name.toLowerCase())).toEqual(
      expect.arrayContaining([...MCP_HEADERS, 'authorization', 'content-type', 'mcp-session-id']),
    );
    expect(cors?.exposed_headers).toContain('WWW-Authenticate');
    expect(ofMetadata?.origins).toEqual(['*']);
  });

  it('is the same in all three', () => {
    const [first, ...others] = FILES.map((path) =>
      ['cors', 'request-termination', 'post-function'].map((plugin) => configsOf(path, plugin)),
    );
    for (const other of others) expect(other).toEqual(first);
  });
});
