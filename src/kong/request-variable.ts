import { isIP } from 'node:net';

/** The nginx variable of kong/nginx/ping-auth-http.conf. */
export const REQUEST_VARIABLE = 'ping_auth_request';

const SEPARATOR = '\u001f';
/** First field; another one is a file of another version. */
const MARK = `ping-auth-1${SEPARATOR}`;
const FIELDS = 12;
/**
 * Only what nginx writes for the four versions it knows. It also takes `HTTP/1.01` and `HTTP/1.7` from a client; what Kong
 * makes of those, Kong shall say.
 */
const VERSIONS: Readonly<Record<string, string>> = {
  'HTTP/1.0': '1.0',
  'HTTP/1.1': '1.1',
  'HTTP/2.0': '2',
  'HTTP/3.0': '3',
};

/** nginx's own view of a request; nothing in it comes from X-Forwarded-Proto, -Host or -Port. */
export interface RequestVariable {
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  /** The listener's port as nginx writes it; Kong's port_maps can make another one of it. */
  readonly serverPort: string;
  /** Request target as the client sent it, without scheme and host. */
  readonly target: string;
  /** Empty when there is none. */
  readonly query: string;
  readonly httpVersion: string;
  readonly requestId: string | undefined;
  readonly clientCertificatePem: string | undefined;
}

export type VariableReading =
  | { readonly kind: 'read'; readonly variable: RequestVariable }
  /** Something in this request makes it ambiguous (a separator in a value) or odd: ask Kong instead. */
  | { readonly kind: 'unclear' }
  /** Not set up in this Kong, or by a file of another version. No request can make it look like this. */
  | { readonly kind: 'absent' };

/** Takes the variable's value apart. A value that is not exactly as expected is never interpreted. */
export function readRequestVariable(text: string | undefined): VariableReading {
  if (text === undefined || !text.startsWith(MARK)) return { kind: 'absent' };
  const fields = text.split(SEPARATOR);
  const [, ip = '', port = '', method = '', scheme, host = '', serverPort = '', target = '', query = ''] =
    fields;
  const [version = '', requestId = '', certificate = ''] = fields.slice(9);
  const httpVersion = VERSIONS[version];
  if (
    fields.length !== FIELDS ||
    isIP(ip) === 0 ||
    !isPort(port) ||
    method === '' ||
    (scheme !== 'http' && scheme !== 'https') ||
    host === '' ||
    !isPort(serverPort) ||
    !target.startsWith('/') ||
    httpVersion === undefined
  ) {
    return { kind: 'unclear' };
  }
  return {
    kind: 'read',
    variable: {
      sourceIp: ip,
      sourcePort: Number(port),
      method,
      scheme,
      host,
      serverPort,
      target,
      query,
      httpVersion,
      requestId: requestId === '' ? undefined : requestId,
      clientCertificatePem: certificate === '' ? undefined : certificate,
    },
  };
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text);
}
