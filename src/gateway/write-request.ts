import type { RequestChanges } from '../directives/decision.js';
import type { KongPdk } from './kong-pdk.js';
import { headerRecord } from './write-response.js';

/**
 * Applies what the policy changed to the request that goes upstream: a call for each changed part, none for the others.
 * Removed and set headers are one call, since an empty list takes a header away (recorded). Content-Length is never
 * touched: set_raw_body sets it, and any other value makes the upstream read a second request out of the body.
 */
export function writeRequest(kong: KongPdk, changes: RequestChanges): Promise<unknown>[] {
  const calls: Promise<unknown>[] = [];
  const { method, path, query, host, headers, body } = changes;
  if (method !== undefined) calls.push(kong.service.request.setMethod(method));
  if (path !== undefined) calls.push(kong.service.request.setPath(path));
  if (query !== undefined) calls.push(kong.service.request.setRawQuery(query));
  const written = new Map<string, readonly string[]>(headers.remove.map((name) => [name, []]));
  for (const [name, values] of headers.set) written.set(name, values);
  if (host !== undefined) written.set('host', [host]);
  if (written.size > 0) calls.push(kong.service.request.setHeaders(headerRecord(written)));
  if (body !== undefined) calls.push(kong.service.request.setRawBody(body));
  return calls;
}
