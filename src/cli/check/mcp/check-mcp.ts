import { isLoopback } from '../../../config/formats.js';
import { isJsonObject, parseJson } from '../../../http/text.js';
import type { Terminal } from '../../terminal.js';
import { type ConfigurationReport, type Finding, failed, ok, skipped, warning } from '../finding.js';
import { checkIssuer, checkMetadata, metadataUrlIn, shown } from './discovery.js';
import { postMessage, type Reply } from './http.js';
import { listTools, MODERN_LIST } from './tools.js';

/** A name that nobody has (RFC 6761). */
const FOREIGN_ORIGIN = 'https://ping-auth-check.invalid';
/** Each costs up to three requests, to wherever the document says. */
const MAX_ISSUERS = 5;
const POLICY_REMEDY =
  'let the policy deny calls without a valid token with 401 and WWW-Authenticate: Bearer; clients get a token only then';

/** A gateway's MCP endpoint, as clients are configured with it. */
export interface McpAccess {
  readonly url: URL;
  /** Access token for the last step. */
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

interface McpOptions {
  readonly mcp?: URL;
  readonly token?: string;
  readonly tokenEnv?: string;
  readonly timeout: number;
}

/** From the options of the command. @throws Error for options that do not fit */
export function readMcpAccess(
  { mcp, token, tokenEnv, timeout }: McpOptions,
  { environment }: Pick<Terminal, 'environment'>,
): McpAccess | undefined {
  if (mcp === undefined) {
    if (token === undefined && tokenEnv === undefined) return undefined;
    throw new Error('--token and --token-env need --mcp');
  }
  const fromEnvironment = tokenEnv === undefined ? undefined : environment[tokenEnv];
  if (tokenEnv !== undefined && !fromEnvironment) {
    throw new Error(`--token-env: the environment variable ${tokenEnv} is not set`);
  }
  const given = token ?? fromEnvironment;
  // Said here and in these words: fetch would quote the whole header in its error.
  if (given !== undefined && !/^[\x21-\x7e]+$/.test(given)) {
    const source = token === undefined ? `--token-env: ${tokenEnv}` : '--token';
    throw new Error(
      `${source} holds a blank, a line break or a character that is not ASCII; give the token alone`,
    );
  }
  return { url: mcp, token: given, timeoutMs: timeout };
}

/** Walks from a call without a token to the list of tools, as an MCP client does that has never been here. */
export async function checkMcp({ url, token, timeoutMs }: McpAccess): Promise<ConfigurationReport> {
  const findings: Finding[] = [];
  const report = { where: `MCP server ${url.href}`, findings, providers: [] };
  if (url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    findings.push(
      warning(
        'mcp',
        `${url.origin} is not https: tokens travel unencrypted`,
        'give Kong a certificate and use https',
      ),
    );
  }
  let reply: Reply;
  try {
    reply = await postMessage(url.href, MODERN_LIST.message, MODERN_LIST.headers, timeoutMs);
  } catch (thrown) {
    const remedy = 'check the URL, DNS and the route in Kong; for a CA of your own set NODE_EXTRA_CA_CERTS';
    findings.push(failed('mcp', (thrown as Error).message, remedy));
    return report;
  }
  findings.push(unauthenticated(reply));
  if (reply.status === 401) {
    const named = metadataUrlIn(reply.headers.get('www-authenticate'));
    findings.push(
      named === undefined
        ? warning(
            'challenge',
            'the 401 does not say where the protected resource metadata is; clients look at the well-known places',
            'set mcp_resource_metadata_url',
          )
        : ok('challenge', `resource_metadata is ${shown(named)}`),
    );
    const { findings: found, issuers } = await checkMetadata(url, named, timeoutMs);
    findings.push(...found);
    for (const issuer of issuers.slice(0, MAX_ISSUERS)) {
      findings.push(...(await checkIssuer(issuer, timeoutMs)));
    }
    if (issuers.length > MAX_ISSUERS) {
      const text = `the metadata names ${issuers.length} authorization servers; the first ${MAX_ISSUERS} were checked`;
      findings.push(warning('issuer', text, 'name only those that clients get tokens from'));
    }
  }
  findings.push(await checkOrigin(url, timeoutMs));
  findings.push(
    token === undefined
      ? skipped('tools', 'not listed; give an access token with --token or --token-env')
      : await listTools(url.href, token, timeoutMs),
  );
  return report;
}

function unauthenticated({ status, text }: Reply): Finding {
  if (status === 401) return ok('mcp', 'a call without a token is answered with 401');
  if (status === 403)
    return failed(
      'mcp',
      'a call without a token is answered with 403, so clients do not ask for one',
      POLICY_REMEDY,
    );
  const message = parseJson(text);
  const error = isJsonObject(message) && isJsonObject(message.error) ? message.error : undefined;
  if (status === 200 && error === undefined) {
    return failed(
      'mcp',
      'a call without a token goes through',
      `protect the route with ping-auth, and ${POLICY_REMEDY}`,
    );
  }
  if (status === 200) {
    return failed('mcp', 'a call without a token is denied, but not with 401', POLICY_REMEDY);
  }
  const remedy = status === 404 ? 'check the path of the MCP endpoint and the route in Kong' : POLICY_REMEDY;
  return failed('mcp', `a call without a token is answered with ${status}`, remedy);
}

/** A browser sends the Origin of the page; a page that nobody listed must not get in. */
async function checkOrigin(url: URL, timeoutMs: number): Promise<Finding> {
  const headers = { ...MODERN_LIST.headers, origin: FOREIGN_ORIGIN };
  try {
    const { status } = await postMessage(url.href, MODERN_LIST.message, headers, timeoutMs);
    if (status === 403) return ok('origin', 'a call from a foreign web page is answered with 403');
    const text = `a call from a foreign web page (Origin: ${FOREIGN_ORIGIN}) is answered with ${status}, not with 403`;
    return warning(
      'origin',
      text,
      'set mcp_allowed_origins to the origins of your own web clients; MCP servers must check it',
    );
  } catch (thrown) {
    return warning('origin', (thrown as Error).message);
  }
}
