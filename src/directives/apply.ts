import { allowsBody } from '../http/admission.js';
import { type HeaderList, headerChanges, LEFT_TO_KONG, oneOrMany } from '../http/headers.js';
import type { HttpRequest, HttpResponse } from '../http/message.js';
import { parseAuthority } from '../http/request-url.js';
import { decodeUtf8 } from '../http/text.js';
import { changedBody, type RequestChanges, type ResponseChanges } from './decision.js';

/** The request as the upstream gets it, on the model: what Kong does with the changes, for monitor mode and `explain`. */
export function applyRequestChanges(request: HttpRequest, changes: RequestChanges): HttpRequest {
  const { method = request.method, path, query = request.url.query, host, body } = changes;
  const headers = request.headers.with(changes.headers).with(host === undefined ? {} : { host });
  return {
    ...request,
    method,
    url: {
      ...request.url,
      host: host === undefined ? request.url.host : parseAuthority(host, 'host').host,
      path: path ?? request.url.path,
      query: query === '' ? undefined : query,
    },
    headers: body === undefined ? headers : withLength(headers, body.length),
    body: body ?? request.body,
  };
}

/** The response as the client gets it, on the model. @param method the request's: HEAD gets no body. */
export function applyResponseChanges(
  response: HttpResponse,
  changes: ResponseChanges,
  method = 'GET',
): HttpResponse {
  const { status = response.status, body } = changes;
  const headers = response.headers.with(changes.headers);
  const isLengthNew = body !== undefined && allowsBody(status, method);
  return {
    status,
    headers: isLengthNew ? withLength(headers, body.length) : headers,
    body: body ?? response.body,
  };
}

/** Kong writes the length of a body that it is given and sends it unchunked. */
function withLength(headers: HeaderList, length: number): HeaderList {
  return headers.with({ 'transfer-encoding': [], 'content-length': String(length) });
}

/**
 * The changes that make of the upstream's response another form of it, with what the policy made of that: the one message of
 * an event stream in the place of the stream, a JSON-RPC error in the place of a denial. The client gets that form even where
 * the policy changed nothing.
 *
 * @param changes relative to `shown`, whose body is text
 * @returns the same relative to `original`; the body is always new
 */
export function rebaseChanges(
  original: HttpResponse,
  shown: HttpResponse,
  { status, headers: wanted, body }: ResponseChanges,
): ResponseChanges {
  const headers = headerChanges();
  const after = shown.headers.with(wanted);
  for (const name of new Set([...original.headers.names(), ...after.names()])) {
    const [own, values] = [original.headers.getAll(name), after.getAll(name)];
    const isOther = own.length !== values.length || values.some((value, at) => value !== own[at]);
    if (name in wanted || (isOther && !LEFT_TO_KONG.has(name))) headers[name] = oneOrMany(values);
  }
  return { status, ...changedBody(decodeUtf8(body ?? shown.body) ?? '', headers, original.headers) };
}
