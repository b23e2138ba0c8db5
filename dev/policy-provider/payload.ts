import { z } from 'zod';

/** Headers on the wire: single-pair objects, so that repeated ones survive. */
export type WireHeaders = Record<string, string>[];

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const UNSENDABLE = ['\r', '\n', '\0'];

const headers = z.array(
  // Not z.record, which drops a header named __proto__.
  z
    .custom<Record<string, string>>(
      (pair) => typeof pair === 'object' && pair !== null && !Array.isArray(pair),
      'is not an object with one pair, like {"accept":"text/html"}',
    )
    .superRefine((pair, context) => {
      const entries = Object.entries<unknown>(pair);
      if (entries.length !== 1) context.addIssue(`has ${entries.length} pairs instead of one`);
      for (const [name, value] of entries) {
        if (typeof value !== 'string') {
          context.addIssue({ code: 'custom', message: 'is not a string', path: [name] });
          continue;
        }
        if (!TOKEN.test(name))
          context.addIssue(`has a name that is not a lower-case token: ${JSON.stringify(name)}`);
        if (UNSENDABLE.some((byte) => value.includes(byte)))
          context.addIssue(`${name} has a line break or NUL`);
      }
    }),
  'is not an array of single-pair objects',
);

const url = z
  .string()
  .regex(
    /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[^/:?#@[\]\s]+):\d{1,5}\/[^#\s]*$/,
    'is not an absolute http(s) URL with port and path',
  )
  .refine((value) => URL.canParse(value), 'cannot be parsed as a URL');

const port = z.custom<number | string>(
  (value) =>
    (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) &&
    Number.isInteger(Number(value)) &&
    Number(value) >= 0 &&
    Number(value) <= 65535,
  'is neither a port number nor a string of digits',
);

const method = z.string().regex(/^[A-Z][A-Z-]*$/, 'is not a method');
const httpVersion = z.enum(['1.0', '1.1'], 'is not "1.0" or "1.1"');

const jwk = z.looseObject({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  x5c: z.array(z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/, 'is not standard base64')).min(1),
});

const requestPayload = z.strictObject({
  source_ip: z.union([z.ipv4(), z.ipv6()], 'is not an IP address'),
  source_port: port,
  method,
  url,
  http_version: httpVersion,
  headers,
  body: z.string().optional(),
  client_certificate: jwk.optional(),
  access_token: z.record(z.string(), z.json()).optional(),
});

const responsePayload = z
  .strictObject({
    method,
    url,
    http_version: httpVersion,
    response_code: z.string('is not a string').regex(/^[1-5]\d\d$/, 'is not a status code'),
    response_status: z.string('is not a string'),
    headers,
    body: z.string().optional(),
    state: z.json().optional(),
    request: requestPayload.optional(),
  })
  .superRefine((payload, context) => {
    const [state, request] = [payload.state !== undefined, payload.request !== undefined];
    if (state === request)
      context.addIssue(state ? 'has both state and request' : 'has neither state nor request');
  });

export type RequestPayload = z.output<typeof requestPayload>;
export type ResponsePayload = z.output<typeof responsePayload>;

/** A payload that a strict provider would not read. The message goes to the caller. */
export class MalformedPayload extends Error {}

/**
 * Reads the body of a sideband call as strictly as any provider might.
 * @throws MalformedPayload for bytes that are not UTF-8, text that is not JSON, and every member of a wrong shape.
 */
export function parseRequestPayload(bytes: Uint8Array): RequestPayload {
  return check(requestPayload, bytes);
}

/** As parseRequestPayload, for `/sideband/response`. */
export function parseResponsePayload(bytes: Uint8Array): ResponsePayload {
  return check(responsePayload, bytes);
}

function check<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  const result = schema.safeParse(parseJson(bytes));
  if (result.success) return result.data;
  throw new MalformedPayload(
    result.error.issues
      .map((issue) => `${issue.path.join('.') || 'the payload'} ${issue.message}`)
      .join('; '),
  );
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : 'is not UTF-8';
    throw new MalformedPayload(`the payload ${reason}`);
  }
}
