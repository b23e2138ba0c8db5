// What the texts in the configuration of a route to an MCP server have to look like: origins of web pages, a metadata URL.
import { isLoopback } from './formats.js';

/** RFC 6454, with `*` in the first label of the host; an IPv6 address in brackets is a host, too. */
const ORIGIN =
  /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|(?:[a-z0-9-]*\*?[a-z0-9-]*)(?:\.[a-z0-9-]+)*)(?::[1-9]\d{0,4})?$/i;

/** What is wrong with an entry of `mcp_allowed_origins`. */
export function originProblem(value: string): string | undefined {
  const shown = JSON.stringify(value.slice(0, 60));
  if (value === '*' || value.toLowerCase() === 'null')
    return `${shown} would let any web page in; list the origins`;
  if (!ORIGIN.test(value) || /:\/\/(?::|$)/.test(value)) {
    return `${shown} is not an origin; write it like https://app.example.com or https://*.example.com, without a path`;
  }
  const [, host = ''] = /:\/\/([^:]*)/.exec(value) ?? [];
  if (/^\*(?:\.[^.]+)?$/.test(host))
    return `${shown} would let nearly any web page in; name the domain behind the *`;
  return undefined;
}

/** As browsers write it: in lower case, without the scheme's default port. */
export function normalizedOrigin(value: string): string {
  return value.toLowerCase().replace(/^(https:.*):443$|^(http:.*):80$/, '$1$2');
}

/** What is wrong with `mcp_resource_metadata_url`; clients get it in quotes in a header. */
export function resourceMetadataUrlProblem(value: string): string | undefined {
  if (!/^[\x21-\x7e]*$/.test(value) || /["\\]/.test(value)) {
    return 'contains a space, quote, backslash or a character that is no plain ASCII; remove or escape it';
  }
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isHttps = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url === undefined || !isHttps || !/^https?:\/\/[^/]/i.test(value)) {
    return 'must be an https:// URL, such as https://gateway.example.com/.well-known/oauth-protected-resource/mcp';
  }
  if (url.username !== '' || url.password !== '' || value.includes('#')) {
    return 'contains credentials or a fragment; remove them';
  }
  return undefined;
}
