import type { HeaderList } from '../http/header-list.js';
import { type BodyView, type HttpRequest, type HttpResponse, reasonPhrase } from '../http/message.js';
import { jsonString, toWireText } from '../http/text.js';
import type { CertificateJwk } from './messages.js';
import type { RequestContext } from './request-context.js';

/*
 * Both sideband payloads, written as the JSON text that goes over the wire: what it holds is described by
 * RequestPayload and ResponsePayload in sideband-message.ts. As text, because parts of it are kept for the second call
 * (the memo) and have to come out of there to the letter, and because an object for every header would cost more than the call.
 */

/** `"method":…,"url":…,"http_version":…`, which both payloads of a request have in common. @param url of `composeUrl` */
export function describeTarget(
  { method, httpVersion }: Pick<HttpRequest, 'method' | 'httpVersion'>,
  url: string,
): string {
  // HTTP/2 goes as 1.1: nothing documents any other value.
  const version = httpVersion === '1.0' || httpVersion === '1' ? '1.0' : '1.1';
  return `"method":${jsonString(method)},"url":${jsonString(url)},"http_version":"${version}"`;
}

/**
 * Body of `POST {service_url}/sideband/request`.
 *
 * @param target of `describeTarget`
 * @param headers the client's without the excluded ones
 * @param certificate of `certificateToJwk`; undefined without a client certificate
 */
export function composeRequestPayload(
  request: HttpRequest,
  target: string,
  headers: HeaderList,
  body: BodyView,
  certificate: CertificateJwk | undefined,
): string {
  const source = `"source_ip":${jsonString(request.sourceIp)},"source_port":${request.sourcePort}`;
  const jwk = certificate === undefined ? '' : `,"client_certificate":${JSON.stringify(certificate)}`;
  return `{${source},${target},"headers":${headersJson(headers)}${bodyJson(body)}${jwk}}`;
}

/** Body of `POST {service_url}/sideband/response`. @param requestContext of the request that the upstream answers */
export function composeResponsePayload(
  { status, headers }: HttpResponse,
  requestContext: Pick<RequestContext, 'target' | 'kept'>,
  body: BodyView,
): string {
  const code = `"response_code":"${status}","response_status":${jsonString(reasonPhrase(status))}`;
  return `{${requestContext.target},${code},"headers":${headersJson(headers)}${bodyJson(body)},${requestContext.kept}}`;
}

/** `[{"x-a":"1"},{"x-a":"2"}]`: one single-pair object for every value, names in lower case. */
function headersJson(headers: HeaderList): string {
  let text = '';
  for (const [name, value] of headers.fields) {
    text += `${text === '' ? '' : ','}{${jsonString(name)}:${jsonString(toWireText(value))}}`;
  }
  return `[${text}]`;
}

/** No body goes as `""`, like the existing plugin's; an omitted body is left out, so that it does not look like none. */
function bodyJson(body: BodyView): string {
  if (body.kind === 'omitted') return '';
  return body.kind === 'text' ? `,"body":${jsonString(body.text)}` : ',"body":""';
}
