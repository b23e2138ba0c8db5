import type { RequestPayload, ResponsePayload, WireHeaders } from './payload.js';
import type { JsonValue } from './rules.js';
import { atPath, type Lookup } from './template.js';

/** One call as the rules see it. `request` and `state` are what the request call left for the response call. */
export type Call =
  | { readonly phase: 'request'; readonly payload: RequestPayload }
  | { readonly phase: 'response'; readonly payload: ResponsePayload };

/** First value of a header, or undefined. Names are compared without regard to case. */
export function headerValue(headers: WireHeaders, name: string): string | undefined {
  return headerValues(headers, name)[0];
}

export function headerValues(headers: WireHeaders, name: string): string[] {
  const wanted = name.toLowerCase();
  return headers.flatMap((pair) =>
    Object.entries(pair)
      .filter(([candidate]) => candidate.toLowerCase() === wanted)
      .map(([, value]) => value),
  );
}

/** Path of a sideband URL, still escaped. */
export function pathOf(url: string): string {
  return /^https?:\/\/[^/]*([^?]*)/.exec(url)?.[1] ?? '';
}

/**
 * Names for placeholders: `method`, `url`, `path`, `query.NAME`, `header.NAME`, `body`, `json.A.B`, `source_ip`, and in
 * the response phase `status`, `state.A.B`, `request.method`, `request.url`, `request.header.NAME`, `request.json.A.B`.
 */
export function lookupIn(call: Call): Lookup {
  const { payload } = call;
  return (name) => {
    const [first = '', ...rest] = name.split('.');
    if (first === 'source_ip')
      return call.phase === 'request' ? call.payload.source_ip : call.payload.request?.source_ip;
    if (call.phase === 'response') {
      if (first === 'status') return call.payload.response_code;
      if (first === 'state') return atPath(call.payload.state, rest);
      if (first === 'request') return call.payload.request && inMessage(call.payload.request, rest);
    }
    return inMessage(payload, [first, ...rest]);
  };
}

function inMessage(
  message: { method: string; url: string; headers: WireHeaders; body?: string | undefined },
  [first, ...rest]: readonly string[],
): JsonValue | undefined {
  const name = rest.join('.');
  switch (first) {
    case 'method':
      return message.method;
    case 'url':
      return message.url;
    case 'path':
      return pathOf(message.url);
    case 'query':
      return new URL(message.url).searchParams.get(name) ?? undefined;
    case 'header':
      return headerValue(message.headers, name);
    case 'body':
      return message.body;
    case 'json':
      return atPath(parseJson(message.body), rest);
    default:
      return undefined;
  }
}

/** undefined for a text that is not JSON. */
export function parseJson(text: string | undefined): JsonValue | undefined {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
