/**
 * What a valid answer of the policy provider is, said a second time and as simply as it goes, from the contract and not
 * from the source: the fuzz tests hold the plugin against it. It imports nothing of src/.
 */
export interface ValidPermit {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const CONTROL = new RegExp(
  `[${String.fromCharCode(0)}-${String.fromCharCode(8)}\n-${String.fromCharCode(31)}\x7f]`,
);
const METHODS = 'GET HEAD POST PUT DELETE MKCOL COPY MOVE OPTIONS PROPFIND PROPPATCH LOCK UNLOCK PATCH'.split(
  ' ',
);
const HOP_BY_HOP =
  'connection content-length keep-alive proxy-connection te trailer transfer-encoding upgrade'.split(' ');
const KONG_WRITES = {
  request:
    'via x-forwarded-for x-forwarded-host x-forwarded-path x-forwarded-port x-forwarded-prefix x-forwarded-proto x-kong-request-id x-real-ip'.split(
      ' ',
    ),
  response:
    'via x-kong-proxy-latency x-kong-request-id x-kong-response-latency x-kong-upstream-latency'.split(' '),
};

/** @returns undefined when the answer to /sideband/request is anything but a permit. */
export function validPermit(answer: Uint8Array): ValidPermit | undefined {
  const value = jsonObject(answer);
  // A `response` of whatever kind is a denial, or an attempt at one.
  if (value === undefined || Object.keys(value).includes('response')) return undefined;
  const { method, url, body } = value;
  if (typeof method !== 'string' || !METHODS.includes(method)) return undefined;
  if (typeof url !== 'string' || !/^https?:\/\/[^/?#@\\]+([/?][^#]*)?$/i.test(url)) return undefined;
  if (/[\s\\]/.test(url) || CONTROL.test(url)) return undefined;
  const headers = pairs(value.headers);
  if (headers === undefined) return undefined;
  if (typeof body !== 'string' && body !== undefined && body !== null) return undefined;
  return { method, url, headers, body: body ?? '' };
}

export interface ValidAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** The same for a `response` member and for the answer to /sideband/response. */
export function validResponse(value: unknown): ValidAnswer | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { response_code: code, headers: given, body } = value as Record<string, unknown>;
  if (typeof code !== 'number' && !(typeof code === 'string' && /^[0-9]{3}$/.test(code))) return undefined;
  const status = Number(code);
  if (!Number.isInteger(status) || status < 200 || status > 599 || status === 444 || status === 499)
    return undefined;
  const headers = pairs(given);
  if (headers === undefined) return undefined;
  if (typeof body !== 'string' && body !== undefined && body !== null) return undefined;
  return { status, headers, body: body ?? '' };
}

/** The answer as a JSON object; undefined when it is none, or is not UTF-8. */
export function jsonObject(answer: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(answer);
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Why this header must not be sent on; undefined when it may. */
export function headerFault(
  direction: 'request' | 'response',
  name: string,
  value: string,
): string | undefined {
  if (!TOKEN.test(name)) return `name ${JSON.stringify(name)} is no token`;
  if (name !== name.toLowerCase()) return `name ${name} is not in lower case`;
  if (CONTROL.test(value)) return `value of ${name} holds a control character`;
  if (value !== value.replace(/^[ \t]+|[ \t]+$/g, '')) return `value of ${name} has blanks around it`;
  if (HOP_BY_HOP.includes(name.replaceAll('_', '-')))
    return `${name} belongs to the connection or the framing`;
  if (direction === 'request' && (name === 'expect' || name === 'http2-settings'))
    return `${name} is of the client`;
  if (KONG_WRITES[direction].includes(name)) return `${name} is Kong's own`;
  return undefined;
}

/** Single-pair objects with strings; undefined for everything else. */
function pairs(value: unknown): (readonly [string, string])[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const fields: (readonly [string, string])[] = [];
  for (const item of value as unknown[]) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined;
    const entries: [string, unknown][] = Object.entries(item);
    const [name, text] = entries[0] ?? [];
    if (entries.length !== 1 || name === undefined || typeof text !== 'string' || !TOKEN.test(name))
      return undefined;
    fields.push([name, text]);
  }
  return fields;
}
