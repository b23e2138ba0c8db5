import { HeaderLines } from './message-head.js';

/** An answer Kong makes up itself. */
export interface MadeUpAnswer {
  readonly status: number;
  readonly headers: HeaderLines;
  readonly body: Buffer;
  /** nginx's own page. */
  readonly html?: boolean;
}

const MESSAGES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Request timeout',
  411: 'Length required',
  412: 'Precondition failed',
  413: 'Payload too large',
  414: 'URI too long',
  417: 'Expectation failed',
  494: 'Request header or cookie too large',
  500: 'An unexpected error occurred',
  502: 'An invalid response was received from the upstream server',
  503: 'The upstream server is currently unavailable',
  504: 'The upstream server is timing out',
};

type Kind = 'json' | 'plain' | 'html' | 'xml';

const TYPES: Readonly<Record<Kind, string>> = {
  json: 'application/json; charset=utf-8',
  plain: 'text/plain; charset=utf-8',
  html: 'text/html; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
};

/** `kong.response.error`: JSON unless the client prefers something else. `message` unset: the text for that status. */
export function kongError(
  status: number,
  requestId: string,
  accept: string | undefined,
  message?: string,
): MadeUpAnswer {
  return page(status, requestId, accept === undefined ? 'json' : preferred(accept), message ?? text(status));
}

/**
 * nginx's error pages as Kong writes them: plain text for a client that states no preference.
 * @param page 494 is nginx's number for headers that are too large; it is sent as 400.
 */
export function errorPage(status: number, requestId: string, accept: string | undefined): MadeUpAnswer {
  const sent = status === 494 ? 400 : status;
  return page(sent, requestId, accept === undefined ? 'plain' : preferred(accept), text(status));
}

/** What nginx itself writes where no error page of Kong's applies. */
export function bareNginxPage(status: number): MadeUpAnswer {
  const title = statusText(status);
  const body = Buffer.from(
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`,
  );
  const headers = new HeaderLines([
    { name: 'Content-Type', value: 'text/html' },
    { name: 'Content-Length', value: String(body.length) },
  ]);
  return { status, headers, body, html: true };
}

/** What nginx sends when an exit names a status and no body. */
export function bareExitPage(status: number, requestId: string, accept: string | undefined): MadeUpAnswer {
  if (MESSAGES[status] !== undefined) return errorPage(status, requestId, accept);
  const named = statusText(status) !== `${status} `;
  if (status >= 300 && status !== 304 && named) return bareNginxPage(status);
  const headers = new HeaderLines(status === 204 ? [] : [{ name: 'Content-Length', value: '0' }]);
  return { status, headers, body: Buffer.alloc(0) };
}

function text(status: number): string {
  return MESSAGES[status] ?? `The upstream server responded with ${status}`;
}

function preferred(accept: string): Kind {
  let best: Kind = 'json';
  let quality = 0;
  for (const range of accept.split(',')) {
    const [type = '', ...params] = range.split(';').map((part) => part.trim().toLowerCase());
    const q = Number(params.find((param) => param.startsWith('q='))?.slice(2) ?? 1);
    const kind: Kind | undefined =
      type === 'text/html'
        ? 'html'
        : type === 'text/plain' || type === 'text/*'
          ? 'plain'
          : type === 'application/xml'
            ? 'xml'
            : type === 'application/json' || type === '*/*' || type === 'application/*'
              ? 'json'
              : undefined;
    if (kind !== undefined && q > quality) {
      best = kind;
      quality = q;
    }
  }
  return best;
}

function page(status: number, requestId: string, kind: Kind, message: string): MadeUpAnswer {
  const body = Buffer.from(BODIES[kind](message, requestId), 'latin1');
  const headers = new HeaderLines([
    { name: 'Content-Type', value: TYPES[kind] },
    { name: 'Content-Length', value: String(body.length) },
  ]);
  return { status, headers, body };
}

const BODIES: Readonly<Record<Kind, (message: string, requestId: string) => string>> = {
  json: (message, id) => `{\n  "message":${JSON.stringify(message)},\n  "request_id":"${id}"\n}`,
  plain: (message, id) => `${message}\nrequest_id: ${id}\n`,
  html: (message, id) =>
    `<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n  <body>\n    <h1>Error</h1>\n    <p>${message}.</p>\n    <p>request_id: ${id}</p>\n  </body>\n</html>\n`,
  xml: (message, id) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>${message}</message>\n  <requestid>${id}</requestid>\n</error>`,
};

/** nginx's own reason phrases; every other status goes out with an empty one. */
const REASONS: Readonly<Record<number, string>> = {
  101: 'Switching Protocols',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Moved Temporarily',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Time-out',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  414: 'Request-URI Too Large',
  415: 'Unsupported Media Type',
  416: 'Requested Range Not Satisfiable',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
  505: 'HTTP Version Not Supported',
  507: 'Insufficient Storage',
};

export function statusText(status: number): string {
  return `${status} ${REASONS[status] ?? ''}`;
}
