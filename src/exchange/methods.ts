/**
 * The methods nginx knows and Kong's `set_method` takes. Any other one reaches the upstream as GET when responses are
 * buffered. CONNECT never gets this far. TRACE is left out although nginx knows it: nginx answers a client's with 405,
 * and one set by the policy would have the upstream echo all headers, added credentials included, to the client.
 */
const METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'MKCOL',
  'COPY',
  'MOVE',
  'OPTIONS',
  'PROPFIND',
  'PROPPATCH',
  'LOCK',
  'UNLOCK',
  'PATCH',
]);

/** Exact, upper case: methods are case-sensitive, and `set_method('post')` is an error in Kong. */
export function isSupportedMethod(method: string): boolean {
  return METHODS.has(method);
}
