import { reasonPhrase } from '../http/admission.js';
import type { HeaderField } from '../http/headers.js';
import type { HttpRequest, HttpResponse } from '../http/message.js';
import { composeUrl } from '../http/request-url.js';
import { printable, printableLines } from '../telemetry/printable.js';
import { laidOut } from './layout.js';

/** A message for people: nothing in it can move a terminal's cursor or change the direction of writing. */
export interface MessageText {
  /** `GET https://api.example:443/orders`, `200 OK`. */
  readonly start: string;
  readonly headers: readonly HeaderField[];
  /** JSON, forms and XML are laid out: layout.ts. */
  readonly body: string;
}

export function requestText(request: HttpRequest): MessageText {
  return messageText(`${request.method} ${composeUrl(request.url)}`, request.headers, request.body);
}

export function responseText(response: HttpResponse): MessageText {
  return messageText(
    `${response.status} ${reasonPhrase(response.status)}`.trimEnd(),
    response.headers,
    response.body,
  );
}

/** As lines that can be compared: start line, headers, empty line, body. Empty for undefined: there is no message. */
export function asLines(message: MessageText | undefined): string {
  if (message === undefined) return '';
  const { start, headers, body } = message;
  const head = [start, ...headers.map(([name, value]) => `${name}: ${value}`)].join('\n');
  return body === '' ? `${head}\n` : `${head}\n\n${body}\n`;
}

function messageText(start: string, headers: Iterable<HeaderField>, body: Uint8Array): MessageText {
  return {
    start: printable(start),
    headers: Array.from(headers, ([name, value]) => [printable(name), printable(value)]),
    body: printableLines(laidOut(new TextDecoder().decode(body))),
  };
}

/** The path of an absolute URL that need not be one: redaction may have cut it. */
export function pathOf(url: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] || '/';
}
