import { VERSION } from '../../../version.js';
import { type ConfigurationReport, type Finding, failed, note, ok, skipped, warning } from '../finding.js';
import {
  GUARD_FILES,
  guardIn,
  OWN_GUARD_REMEDY,
  SHADOWED_GUARD_REMEDY,
  WITHOUT_OWN_GUARD,
} from '../guard.js';
import type { Environment } from '../references.js';
import { type AdminAccess, AdminApi, AdminApiError } from './admin-api.js';
import { configurationFindings } from './configurations.js';
import { type ConfiguredPlugin, type KongFacts, readKong } from './kong-facts.js';
import { kongManagerFindings } from './kong-manager.js';
import { Scopes } from './scopes.js';

/** A field that the Lua plugin of the same name does not have. */
const OWN_FIELD = 'ca_certificate';
/** Names that are written out in one line. */
const NAMES_AT_MOST = 12;

/** What a running Kong makes of the plugin. Only reads. Never throws for what is wrong with it. */
export async function checkKong(
  access: AdminAccess,
  pluginName: string,
  environment: Environment,
): Promise<ConfigurationReport> {
  const where = `Kong at ${access.url.href}`;
  try {
    const facts = await readKong(new AdminApi(access), pluginName);
    return { where, findings: evaluate(facts, pluginName, environment), providers: [] };
  } catch (thrown) {
    if (!(thrown instanceof AdminApiError)) throw thrown;
    return { where, findings: [failed('kong', thrown.message, thrown.remedy)], providers: [] };
  }
}

function evaluate(facts: KongFacts, pluginName: string, environment: Environment): Finding[] {
  const scopes = new Scopes(
    facts,
    facts.plugins.filter(({ name }) => name === pluginName),
  );
  const code = pluginCode(facts, pluginName);
  const findings = [
    kongItself(facts),
    ...trustedProxies(facts),
    code,
    ...pluginServers(facts),
    ...kongManagerFindings(facts, pluginName),
  ];
  if (facts.fields !== undefined) findings.push(...scopeFindings(facts, scopes));
  // The Lua plugin has other rules.
  if (code.status === 'ok' || code.status === 'warning') {
    for (const scope of scopes.all()) findings.push(...configurationFindings(scope, environment));
  }
  // What the Lua plugin leaves open no guard of ours closes.
  if (code.status !== 'failed') findings.push(...guardFindings(facts, scopes));
  return findings;
}

function kongItself({ version, role }: KongFacts): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 3 || (major === 3 && minor < 8)) {
    return failed(
      'kong',
      `Kong ${version} lets requests pass while the plugin server is down`,
      'Kong: update to 3.8 or later.',
    );
  }
  if (role !== 'control_plane') return ok('kong', `Kong ${version}`);
  return warning(
    'kong',
    `Kong ${version}, a control plane: which plugin the data planes run is not seen from here`,
    'Run ping-auth check on the data planes, too, where their Admin API is on.',
  );
}

/** The policy sees the X-Forwarded-Host of such a proxy, and Kong routes by Host. */
function trustedProxies({ trustedIps }: KongFacts): Finding[] {
  if (trustedIps.length === 0) return [];
  return [
    note(
      'kong',
      `Kong trusts X-Forwarded-* headers of ${names(trustedIps)} (trusted_ips), and the policy decides by X-Forwarded-Host while Kong routes by Host`,
      "Each of these proxies has to replace the client's own X-Forwarded-* headers.",
    ),
  ];
}

/** Whose plugin Kong loaded: a plugin on its Lua path silently takes precedence over plugin servers. */
function pluginCode({ fields, pluginVersion, servers }: KongFacts, name: string): Finding {
  if (fields === undefined) {
    return failed(
      'plugin',
      `Kong does not know a plugin ${name}`,
      `Kong: add ${name} to plugins in kong.conf, with the lines of the plugin server (kong/kong.conf), and restart it.`,
    );
  }
  const version = pluginVersion ?? 'of an unknown version';
  if (!fields.includes(OWN_FIELD)) {
    return failed(
      'plugin',
      `Kong runs the Lua plugin ${name} ${version}, not this one`,
      `Kong: remove the Lua plugin from this node (luarocks remove kong-plugin-ping-auth, or out of lua_package_path)${servers?.length === 0 ? ', add the lines of the plugin server to kong.conf' : '; while it is there Kong does not ask the plugin server'}, and restart Kong. docs/upgrading.md goes step by step.`,
    );
  }
  if (pluginVersion === undefined || pluginVersion === VERSION) {
    return ok('plugin', `Kong runs this plugin, ${name} ${version}`);
  }
  return warning(
    'plugin',
    `Kong runs this plugin, ${name} ${version}; this tool is ${VERSION}`,
    'Install both executables of one version, and restart Kong: it reads the fields of the plugin at its start.',
  );
}

/** Kong starts /usr/local/bin/NAME for a plugin server NAME without a start_cmd. */
function pluginServers({ servers }: KongFacts): Finding[] {
  if (servers === undefined) {
    return [
      skipped(
        'server',
        'Kong cannot tell: it answers 500 at / while it runs a plugin server itself (Kong 3.8 and 3.9)',
      ),
    ];
  }
  return servers.map(({ name, socket, startCommand }) => {
    if (startCommand !== undefined && /(^|\/)ping-auth(\.mjs)?( |$)/.test(startCommand)) {
      return warning(
        'server',
        `for the plugin server ${name} Kong starts ${startCommand.split(' ')[0]}, the command-line tool, again and again`,
        'Kong: name it ping-auth-server in pluginserver_names, and the other lines after it (pluginserver_ping_auth_server_socket …); no file of that name is in /usr/local/bin.',
      );
    }
    const at = socket === undefined ? '' : ` at ${socket}`;
    return ok(
      'server',
      startCommand === undefined ? `${name}${at}, not started by Kong` : `${name}${at}, started by Kong`,
    );
  });
}

function scopeFindings(facts: KongFacts, scopes: Scopes): Finding[] {
  const all = scopes.all();
  if (all.length === 0) {
    return [
      warning(
        'scope',
        'the plugin is configured nowhere',
        'Kong: add it to a service, a route, or to everything.',
      ),
    ];
  }
  const findings = all.map(({ plugin, where, behind }) => {
    const [next] = behind;
    if (!plugin.enabled) {
      return next === undefined
        ? warning('scope', `${where}: switched off (enabled: false)`)
        : warning(
            'scope',
            `${where}: switched off (enabled: false), so that of ${next} applies`,
            `Kong: one that is switched off exempts nothing. Delete it, or limit the other one.`,
          );
    }
    return next === undefined
      ? ok('scope', `${where}: enabled`)
      : warning(
          'scope',
          `${where}: enabled, and that of ${behind.join(' and that of ')} does not apply there`,
          'Kong runs one configuration of a plugin for a request, the most specific one. Is that what you want?',
        );
  });
  const without = facts.routes.filter((route) => scopes.on(route) === undefined);
  const asked = facts.routes.length - without.length;
  findings.push(ok('scope', `the policy is asked on ${asked} of ${facts.routes.length} routes`));
  const grpc = facts.routes.filter(
    (route) => scopes.on(route) !== undefined && route.protocols.some((one) => one.startsWith('grpc')),
  );
  if (grpc.length > 0) {
    findings.push(
      warning(
        'scope',
        `${names(grpc.map(({ name }) => name))}: a route for gRPC, whose calls fail with a plugin that has a response phase`,
        'Kong: serve gRPC by a plugin server with --phases access (docs/streaming.md).',
      ),
    );
  }
  if (without.length > 0) findings.push(skipped('scope', `not on ${names(without.map(({ name }) => name))}`));
  return findings;
}

/** The guard has to be what Kong runs as post-function on every route that has the plugin. */
function guardFindings(facts: KongFacts, scopes: Scopes): Finding[] {
  const isStock = facts.servers?.some(({ startCommand }) => startCommand?.includes('kong-js-pluginserver'));
  // Where Kong does not tell which server it runs, either will do, and the finding names it.
  const wanted = facts.servers === undefined ? undefined : isStock === true ? 'stock' : 'own';
  const functions = new Scopes(
    facts,
    facts.plugins.filter(({ name }) => name === 'post-function'),
  );
  const isGuard = ({ config, enabled }: ConfiguredPlugin) => {
    const guard = guardIn(config);
    return enabled && guard !== undefined && (wanted === undefined || guard === wanted);
  };
  const all = functions.all();
  const bare: string[] = [];
  // One of a consumer goes before one of a route.
  const shadowed = all
    .filter(({ plugin }) => plugin.enabled && plugin.consumer !== undefined && !isGuard(plugin))
    .map(({ where }) => where);
  const guarded = facts.routes.filter((route) => scopes.on(route) !== undefined);
  for (const route of guarded) {
    const postFunction = functions.on(route);
    if (postFunction !== undefined && isGuard(postFunction)) continue;
    const hides = postFunction !== undefined && all.some(({ plugin }) => isGuard(plugin));
    (hides ? shadowed : bare).push(route.name);
  }
  const missing = (text: string, remedy: string): Finding =>
    isStock === true
      ? failed('guard', `${text}: Kong lets requests pass while the stock plugin server is down`, remedy)
      : warning('guard', `${text}: ${WITHOUT_OWN_GUARD}`, remedy);
  const findings: Finding[] = [];
  if (bare.length > 0) findings.push(missing(`no guard on ${names(bare)}`, OWN_GUARD_REMEDY));
  if (shadowed.length > 0) {
    findings.push(
      missing(`another post-function instead of the guard on ${names(shadowed)}`, SHADOWED_GUARD_REMEDY),
    );
  }
  if (findings.length > 0 || guarded.length === 0) return findings;
  if (wanted !== undefined) return [ok('guard', 'the guard is on every route that has the plugin')];
  const found = new Set(all.flatMap(({ plugin }) => guardIn(plugin.config) ?? []));
  const which = [...found].map((guard) => GUARD_FILES[guard]).join(' or ');
  return [ok('guard', `the guard is on every route that has the plugin, that of ${which}`)];
}

function names(list: readonly string[]): string {
  const more = list.length - NAMES_AT_MOST;
  return list.slice(0, NAMES_AT_MOST).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
