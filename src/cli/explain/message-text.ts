import type { HeaderList } from '../../exchange/header-list.js';
import type { HttpRequest, HttpResponse } from '../../exchange/http-message.js';
import { reasonPhrase } from '../../exchange/http-message.js';
import { composeUrl } from '../../exchange/request-url.js';
import { printable } from '../../telemetry/redaction.js';

/** A message as lines that can be compared: start line, headers, body; JSON bodies laid out, one member a line. */
export function requestAsText(request: HttpRequest): string {
  return lines(`${request.method} ${composeUrl(request.url)}`, request.headers, request.body);
}

export function responseAsText(response: HttpResponse): string {
  return lines(`${response.status} ${reasonPhrase(response.status)}`, response.headers, response.body);
}

function lines(start: string, headers: HeaderList, body: Uint8Array): string {
  const head = [start, ...Array.from(headers, ([name, value]) => `${name}: ${value}`)].map(printable);
  return body.length === 0 ? `${head.join('\n')}\n` : `${head.join('\n')}\n\n${bodyText(body)}\n`;
}

function bodyText(body: Uint8Array): string {
  const text = new TextDecoder().decode(body);
  try {
    // Numbers beyond 2^53 would be shown wrong; then the text as it is tells more.
    const value: unknown = JSON.parse(text);
    if (!/\d{16}/.test(text))
      return JSON.stringify(value, undefined, 2).split('\n').map(printable).join('\n');
  } catch {
    // Not JSON.
  }
  return text.split('\n').map(printable).join('\n');
}
