import { reasonPhrase } from '../http/admission.js';
import type { HeaderList } from '../http/headers.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import type { BodyView, HttpRequest, HttpResponse } from '../http/message.js';
import { bytesOfText, jsonString, LARGE_BYTES, nextTurn, STEP_BYTES, toWireText } from '../http/text.js';
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
 * @param body of `bodyMember`, or in steps
 * @param certificate of `certificateToJwk`; undefined without a client certificate
 */
export function composeRequestPayload(
  request: HttpRequest,
  target: string,
  headers: HeaderList,
  body: Payload,
  certificate: CertificateJwk | undefined,
): Payload {
  const source = `"source_ip":${jsonString(request.sourceIp)},"source_port":${request.sourcePort}`;
  const jwk = certificate === undefined ? '' : `,"client_certificate":${JSON.stringify(certificate)}`;
  return payloadOf(`{${source},${target},"headers":${headersJson(headers)}`, body, `${jwk}}`);
}

/**
 * Body of `POST {service_url}/sideband/response`.
 *
 * @param requestContext of the request that the upstream answers
 * @param body of `bodyMember`, or in steps
 */
export function composeResponsePayload(
  { status, headers }: HttpResponse,
  requestContext: Pick<RequestContext, 'target' | 'kept'>,
  body: Payload,
  memory?: MemoryReservation,
): Payload {
  // What was kept is put into the payload's text, and goes out as bytes.
  memory?.grow(2 * bytesOfText(requestContext.kept));
  const code = `"response_code":"${status}","response_status":${jsonString(reasonPhrase(status))}`;
  const before = `{${requestContext.target},${code},"headers":${headersJson(headers)}`;
  return payloadOf(before, body, `,${requestContext.kept}}`);
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
 * The same for a body of any size. A large one is escaped and encoded in steps, between which others are served.
 * @param memory grows by the text of the payload, which holds that of the member, and its bytes; or by the pieces
 */
export async function bodyMemberInSteps(body: BodyView, memory: MemoryReservation): Promise<Payload> {
  if (body.kind !== 'text' || body.text.length <= LARGE_BYTES) {
    const member = bodyMember(body);
    const { length } = member;
    memory.grow(length <= SMALL_MEMBER ? 3 * length : 2 * bytesOfText(member) + Buffer.byteLength(member));
    return member;
  }
  const { text } = body;
  const pieces = [Buffer.from(',"body":"')];
  for (let start = 0; start < text.length; ) {
    await nextTurn();
    const end = endOfStep(text, start);
    const most = MAX_ESCAPE * (end - start);
    memory.grow(most);
    const piece = Buffer.from(jsonString(text.slice(start, end)).slice(1, -1));
    memory.shrink(most - piece.length);
    pieces.push(piece);
    start = end;
  }
  pieces.push(Buffer.from('"'));
  return pieces;
}

/** Whether its characters take one byte or two makes no difference yet. */
const SMALL_MEMBER = 4096;
/** Control characters take six times as long as others. */
const STEP_CHARACTERS = STEP_BYTES / 2;
/** `\u0001` */
const MAX_ESCAPE = 6;

/** Where a step ends: never between the halves of a surrogate pair, which would be escaped alone. */
function endOfStep(text: string, start: number): number {
  const end = start + STEP_CHARACTERS;
  if (end >= text.length) return text.length;
  const isPair = (text.codePointAt(end - 1) ?? 0) > 0xffff;
  return isPair ? end + 1 : end;
}

/** JSON text as it goes over the wire; a large one as the pieces of its bytes. */
export type Payload = string | readonly Buffer[];

function payloadOf(before: string, member: Payload, after: string): Payload {
  if (typeof member === 'string') return `${before}${member}${after}`;
  return [Buffer.from(before), ...member, Buffer.from(after)];
}

export function payloadText(payload: Payload): string {
  return typeof payload === 'string' ? payload : payload.map((piece) => piece.toString()).join('');
}

export function payloadBytes(payload: Payload): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload);
  return payload.reduce((bytes, piece) => bytes + piece.length, 0);
}
