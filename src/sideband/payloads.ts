import { reasonPhrase } from '../http/admission.js';
import type { HeaderList } from '../http/headers.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import type { BodyView, HttpRequest, HttpResponse } from '../http/message.js';
import { bytesOfText, jsonString, nextTurn, STEP_BYTES, toWireText } from '../http/text.js';
import type { CertificateJwk } from './messages.js';
import type { RequestContext } from './request-context.js';

/*
 * Both sideband payloads, written as the JSON text that goes over the wire: what it holds is described by
 * RequestPayload and ResponsePayload in sideband-message.ts. As text, because parts of it are kept for the second call
 * (the request context) and have to come out of there verbatim, and because an object for every header would cost more than the call.
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
 * @param body of `bodyMember`
 * @param certificate of `certificateToJwk`; undefined without a client certificate
 */
export function composeRequestPayload(
  request: HttpRequest,
  target: string,
  headers: HeaderList,
  body: string,
  certificate: CertificateJwk | undefined,
): string {
  const source = `"source_ip":${jsonString(request.sourceIp)},"source_port":${request.sourcePort}`;
  const jwk = certificate === undefined ? '' : `,"client_certificate":${JSON.stringify(certificate)}`;
  return `{${source},${target},"headers":${headersJson(headers)}${body}${jwk}}`;
}

/**
 * Body of `POST {service_url}/sideband/response`.
 *
 * @param requestContext of the request that the upstream answers
 * @param body of `bodyMember`
 */
export function composeResponsePayload(
  { status, headers }: HttpResponse,
  requestContext: Pick<RequestContext, 'target' | 'kept'>,
  body: string,
  memory?: MemoryReservation,
): string {
  // What was kept is put into the payload's text, and goes out as bytes.
  memory?.grow(2 * bytesOfText(requestContext.kept));
  const code = `"response_code":"${status}","response_status":${jsonString(reasonPhrase(status))}`;
  return `{${requestContext.target},${code},"headers":${headersJson(headers)}${body},${requestContext.kept}}`;
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
 * The member with the body, and the comma before it. No body goes as `""`, like the existing plugin's; an omitted body is left
 * out, so that it does not look like none.
 */
export function bodyMember(body: BodyView): string {
  if (body.kind === 'omitted') return '';
  return `,"body":${body.kind === 'absent' ? '""' : jsonString(body.text)}`;
}

/**
 * The same for a body of any size. A large one is escaped in steps, between which others are served.
 * @param memory grows before the text is escaped, which makes up to six characters of one
 */
export async function bodyMemberInSteps(body: BodyView, memory: MemoryReservation): Promise<string> {
  if (body.kind !== 'text' || body.text.length <= UNCOUNTED_CHARACTERS) {
    const member = bodyMember(body);
    memory.grow(3 * member.length);
    return member;
  }
  const { text } = body;
  const size = new EscapedSize();
  for (let start = 0; start < text.length; start += STEP_CHARACTERS) {
    if (start > 0) await nextTurn();
    size.add(text, start, Math.min(start + STEP_CHARACTERS, text.length));
  }
  memory.grow(size.bytes);
  if (text.length <= STEP_CHARACTERS) return bodyMember(body);
  const parts = [',"body":"'];
  for (let start = 0; start < text.length; ) {
    if (start > 0) await nextTurn();
    const end = endOfStep(text, start);
    parts.push(jsonString(text.slice(start, end)).slice(1, -1));
    start = end;
  }
  parts.push('"');
  return parts.join('');
}

/** A text of so many characters is escaped before it is counted: that takes less time, and little memory. */
const UNCOUNTED_CHARACTERS = 4096;
/** Control characters take six times as long as others. */
const STEP_CHARACTERS = STEP_BYTES / 2;
/** By how many characters an ASCII character grows in a JSON string. */
const ESCAPE = new Uint8Array(128).fill(5, 0, 0x20);
for (const character of '\b\t\n\f\r"\\') ESCAPE[character.charCodeAt(0)] = 1;

/** Where a step ends: never between the halves of a surrogate pair, which would be escaped alone. */
function endOfStep(text: string, start: number): number {
  const end = start + STEP_CHARACTERS;
  if (end >= text.length) return text.length;
  const isPair = (text.codePointAt(end - 1) ?? 0) > 0xffff;
  return isPair ? end + 1 : end;
}

/** Measures the memory for an escaped text: as a JSON string, as part of the payload's text, and as part of the payload's bytes. */
class EscapedSize {
  #characters = 2;
  #bytes = 2;
  #isWide = false;

  add(text: string, start: number, end: number): void {
    let characters = end - start;
    let bytes = 0;
    for (let at = start; at < end; at++) {
      const code = text.charCodeAt(at);
      if (code < 0x80) {
        const more = ESCAPE[code] ?? 0;
        characters += more;
        bytes += 1 + more;
      } else {
        bytes += code < 0x800 ? 2 : 3;
        this.#isWide = true;
      }
    }
    this.#characters += characters;
    this.#bytes += bytes;
  }

  get bytes(): number {
    return 2 * (this.#isWide ? 2 * this.#characters : this.#characters) + this.#bytes;
  }
}
