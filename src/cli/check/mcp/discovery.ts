import { isLoopback } from '../../../config/formats.js';
import { isJsonObject, type JsonObject, parseJson } from '../../../http/text.js';
import { type Finding, failed, ok, warning } from '../finding.js';
import { get } from './http.js';

const RESOURCE_PATH = '/.well-known/oauth-protected-resource';
const METADATA_REMEDY =
  'serve the document with the request-termination plugin, as in kong/mcp/kong.yml, at the URL in mcp_resource_metadata_url';

/** What a client finds out before it sends its user to an authorization server. */
export interface Discovery {
  readonly findings: readonly Finding[];
  /** URLs of authorization servers, if the document names any. */
  readonly issuers: readonly string[];
}

/** The URL in a 401's challenge; undefined without one. */
export function metadataUrlIn(challenge: string | null): string | undefined {
  if (challenge === null || !/\bbearer\b/i.test(challenge)) return undefined;
  const [, quoted, token] = /\bresource_metadata\s*=\s*(?:"([^"]*)"|([^\s,]+))/i.exec(challenge) ?? [];
  return quoted ?? token;
}

/** The protected resource metadata (RFC 9728), where the challenge says or at its well-known places. */
export async function checkMetadata(
  mcpUrl: URL,
  named: string | undefined,
  timeoutMs: number,
): Promise<Discovery> {
  const path = mcpUrl.pathname.replace(/\/$/, '');
  const places =
    named === undefined
      ? [...new Set([`${mcpUrl.origin}${RESOURCE_PATH}${path}`, `${mcpUrl.origin}${RESOURCE_PATH}`])]
      : [named];
  const found = await firstDocument(places, timeoutMs);
  if (typeof found === 'string') {
    return {
      findings: [failed('metadata', `no protected resource metadata: ${found}`, METADATA_REMEDY)],
      issuers: [],
    };
  }
  const { url, document } = found;
  const findings: Finding[] = [];
  const { resource } = document;
  const servers = document.authorization_servers;
  const issuers = Array.isArray(servers)
    ? servers.filter((one): one is string => typeof one === 'string')
    : [];
  if (typeof resource !== 'string' || !isResourceOf(resource, mcpUrl)) {
    const text = `${url}: "resource" is ${shown(resource)}, which does not stand for ${mcpUrl.href}; clients refuse that`;
    findings.push(
      failed('metadata', text, `set "resource" to ${mcpUrl.href}, the URL that clients are configured with`),
    );
  } else if (resource !== mcpUrl.href) {
    const text = `${url}: "resource" is ${shown(resource)}, not exactly ${mcpUrl.href}; strict clients refuse that`;
    findings.push(warning('metadata', text, 'set "resource" to the URL that clients are configured with'));
  } else findings.push(ok('metadata', `${url} describes ${resource}`));
  if (issuers.length === 0) {
    const remedy = 'add "authorization_servers" with the issuer of PingOne or PingFederate';
    findings.push(failed('metadata', `${url} names no authorization server`, remedy));
  }
  return { findings, issuers };
}

/** The authorization server's own metadata (RFC 8414, or OpenID Connect discovery), as clients validate it. */
export async function checkIssuer(issuer: string, timeoutMs: number): Promise<Finding[]> {
  if (!URL.canParse(issuer)) {
    return [
      failed('issuer', `${shown(issuer)} is not a URL`, 'correct "authorization_servers" in the metadata'),
    ];
  }
  const { origin, pathname, protocol, hostname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const oauth = '/.well-known/oauth-authorization-server';
  const openid = '/.well-known/openid-configuration';
  const places =
    path === ''
      ? [`${origin}${oauth}`, `${origin}${openid}`]
      : [`${origin}${oauth}${path}`, `${origin}${openid}${path}`, `${origin}${path}${openid}`];
  const found = await firstDocument(places, timeoutMs);
  if (typeof found === 'string') {
    const remedy =
      'correct "authorization_servers": it has to hold the issuer exactly as the authorization server names it';
    return [failed('issuer', `no metadata of ${shown(issuer)}: ${found}`, remedy)];
  }
  const { url, document } = found;
  if (document.issuer !== issuer) {
    const text = `${url}: "issuer" is ${shown(document.issuer)}, not ${shown(issuer)}; clients must not use it`;
    return [
      failed('issuer', text, 'write the issuer in "authorization_servers" as the authorization server does'),
    ];
  }
  const findings: Finding[] = [];
  for (const name of ['authorization_endpoint', 'token_endpoint']) {
    if (typeof document[name] === 'string') continue;
    findings.push(
      failed(
        'issuer',
        `${url} has no ${name}`,
        'switch the authorization code grant on at the authorization server',
      ),
    );
  }
  const methods = document.code_challenge_methods_supported;
  if (!Array.isArray(methods) || !methods.includes('S256')) {
    const text = `${url}: code_challenge_methods_supported does not list S256; clients refuse to go on without PKCE`;
    findings.push(failed('issuer', text, 'switch PKCE with S256 on at the authorization server'));
  }
  if (protocol !== 'https:' && !isLoopback(hostname)) {
    findings.push(
      failed('issuer', `${shown(issuer)} is not https`, 'use https for the authorization server'),
    );
  }
  return findings.length > 0
    ? findings
    : [ok('issuer', `${shown(issuer)} can be used (${new URL(url).pathname})`)];
}

/** The first JSON object among these URLs; in words why there is none. */
async function firstDocument(
  urls: readonly string[],
  timeoutMs: number,
): Promise<{ readonly url: string; readonly document: JsonObject } | string> {
  const reasons: string[] = [];
  for (const url of urls) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      reasons.push(`${shown(url)} is not a URL`);
      continue;
    }
    try {
      const { status, text } = await get(url, timeoutMs);
      const document = parseJson(text);
      if (status === 200 && isJsonObject(document)) return { url: new URL(url).href, document };
      reasons.push(`${shown(url)} answers ${status}${status === 200 ? ' without a JSON object' : ''}`);
    } catch (thrown) {
      reasons.push((thrown as Error).message);
    }
  }
  return reasons.join('; ');
}

/** As clients compare it: the same origin, and a path above or equal. */
function isResourceOf(resource: string, mcpUrl: URL): boolean {
  if (!URL.canParse(resource)) return false;
  const { origin, pathname } = new URL(resource);
  const base = pathname.endsWith('/') ? pathname : `${pathname}/`;
  return origin === mcpUrl.origin && `${mcpUrl.pathname}/`.startsWith(base);
}

/** Somebody else's text on a terminal. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  return JSON.stringify(value)
    .replaceAll(/[^\x20-\x7e]+/g, '?')
    .slice(0, 200);
}
