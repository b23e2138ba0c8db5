import type { HeaderList } from '../http/header-list.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import { type BodyView, type HttpRequest, type HttpResponse, reasonPhrase } from '../http/message.js';
import { bytesOfText, jsonString, toWireText } from '../http/text.js';
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
  memory?: MemoryReservation,
): string {
  const bodyMember = bodyJson(body, memory);
  const source = `"source_ip":${jsonString(request.sourceIp)},"source_port":${request.sourcePort}`;
  const jwk = certificate === undefined ? '' : `,"client_certificate":${JSON.stringify(certificate)}`;
  return `{${source},${target},"headers":${headersJson(headers)}${bodyMember}${jwk}}`;
}

/** Body of `POST {service_url}/sideband/response`. @param requestContext of the request that the upstream answers */
export function composeResponsePayload(
  { status, headers }: HttpResponse,
  requestContext: Pick<RequestContext, 'target' | 'kept'>,
  body: BodyView,
  memory?: MemoryReservation,
): string {
  // What was kept is put into the payload's text, and goes out as bytes.
  memory?.grow(2 * bytesOfText(requestContext.kept));
  const bodyMember = bodyJson(body, memory);
  const code = `"response_code":"${status}","response_status":${jsonString(reasonPhrase(status))}`;
  return `{${requestContext.target},${code},"headers":${headersJson(headers)}${bodyMember},${requestContext.kept}}`;
}

/** `[{"x-a":"1"},{"x-a":"2"}]`: one single-pair object for every value, names in lower case. */
function headersJson(headers: HeaderList): string {
  let text = '';
  for (const [name, value] of headers.fields) {
    text += `${text === '' ? '' : ','}{${jsonString(name)}:${jsonString(toWireText(value))}}`;
  }
  return `[${text}]`;
}

/**
 * No body goes as `""`, like the existing plugin's; an omitted body is left out, so that it does not look like none.
 * @param memory grows before the text is escaped, which makes up to six characters of one
 */
function bodyJson(body: BodyView, memory: MemoryReservation | undefined): string {
  if (body.kind === 'omitted') return '';
  if (body.kind === 'absent') return ',"body":""';
  const { text } = body;
  if (text.length > UNCOUNTED_CHARACTERS) memory?.grow(escapedBytes(text));
  const json = jsonString(text);
  if (text.length <= UNCOUNTED_CHARACTERS) memory?.grow(3 * json.length);
  return `,"body":${json}`;
}

/** A text of so many characters is escaped before it is counted: that takes less time, and little memory. */
const UNCOUNTED_CHARACTERS = 4096;
/** By how many characters an ASCII character grows in a JSON string. */
const ESCAPE = new Uint8Array(128).fill(5, 0, 0x20);
for (const character of '\b\t\n\f\r"\\') ESCAPE[character.charCodeAt(0)] = 1;

/** Memory for an escaped text: as a JSON string, as part of the payload's text, and as part of the payload's bytes. */
function escapedBytes(text: string): number {
  let characters = text.length + 2;
  let bytes = 2;
  let isWide = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) {
      const more = ESCAPE[code] ?? 0;
      characters += more;
      bytes += 1 + more;
    } else {
      bytes += code < 0x800 ? 2 : 3;
      isWide = true;
    }
  }
  return 2 * (isWide ? 2 * characters : characters) + bytes;
}
