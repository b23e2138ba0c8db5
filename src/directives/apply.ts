import { type HeaderChanges, HeaderList, isRemoval, valuesOf } from '../http/header-list.js';
import { allowsBody, type HttpRequest, type HttpResponse } from '../http/message.js';
import { parseAuthority } from '../http/request-url.js';
import type { RequestChanges, ResponseChanges } from './decision.js';

/** The request as the upstream gets it, on the model: what Kong does with the changes, for monitor mode and `explain`. */
export function applyRequestChanges(request: HttpRequest, changes: RequestChanges): HttpRequest {
  const { method, path, query, host, body } = changes;
  let headers = applyHeaderChanges(request.headers, changes.headers);
  if (host !== undefined) headers = replaceHeader(headers, 'host', [host]);
  if (body !== undefined) headers = withLength(headers, body.length);
  return {
    ...request,
    method: method ?? request.method,
    url: {
      ...request.url,
      host: host === undefined ? request.url.host : parseAuthority(host, 'host').host,
      path: path ?? request.url.path,
      query: query === undefined ? request.url.query : query === '' ? undefined : query,
    },
    headers,
    body: body ?? request.body,
  };
}

/** The response as the client gets it, on the model. @param method the request's: HEAD gets no body. */
export function applyResponseChanges(
  response: HttpResponse,
  changes: ResponseChanges,
  method = 'GET',
): HttpResponse {
  const status = changes.status ?? response.status;
  let headers = applyHeaderChanges(response.headers, changes.headers);
  if (changes.body !== undefined && allowsBody(status, method))
    headers = withLength(headers, changes.body.length);
  return { status, headers, body: changes.body ?? response.body };
}

/** Changed headers keep the place of the first one of their name; new ones follow at the end. */
function applyHeaderChanges(headers: HeaderList, changes: HeaderChanges): HeaderList {
  let result = headers.filter((name) => !isRemoval(changes[name]));
  for (const name of Object.keys(changes)) {
    const values = valuesOf(changes[name]);
    if (values.length > 0) result = replaceHeader(result, name, values);
  }
  return result;
}

function replaceHeader(headers: HeaderList, name: string, values: readonly string[]): HeaderList {
  const fields: [string, string][] = [];
  let isWritten = false;
  const write = () => {
    if (!isWritten) for (const value of values) fields.push([name, value]);
    isWritten = true;
  };
  for (const [candidate, value] of headers) {
    if (candidate === name) write();
    else fields.push([candidate, value]);
  }
  write();
  return HeaderList.from(fields);
}

/** Kong writes the length of a body that it is given and sends it unchunked. */
function withLength(headers: HeaderList, length: number): HeaderList {
  const unframed = headers.filter((name) => name !== 'transfer-encoding');
  return replaceHeader(unframed, 'content-length', [String(length)]);
}
