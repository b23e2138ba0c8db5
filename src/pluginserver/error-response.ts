import type { PdkPipe } from './kong-object.js';
import { pdkMethod } from './messages.js';

export type ErrorStatus = 500 | 503;

const EXIT = pdkMethod('kong.response.exit');
const GET_HEADERS = pdkMethod('kong.response.get_headers');
const CLEAR_HEADER = pdkMethod('kong.response.clear_header');

/** What the client gets, and a line for Kong's own log, whose default level hides the server's lines. */
const RESPONSES = {
  500: {
    body: '{"message":"An unexpected error occurred"}',
    log: pdkMethod('kong.log.err'),
    line: 'plugin server: refused with 500, because a phase failed or did not end; its own log (level info) has the reason',
  },
  503: {
    body: '{"message":"Service unavailable"}',
    log: pdkMethod('kong.log.warn'),
    line: 'plugin server: refused with 503, because too many requests are in progress or no worker process is ready; raise --workers, --max-events or --max-connections',
  },
} as const;

/** Ends an event with a plain error, which is all that the client gets. */
export function sendErrorResponse(pipe: PdkPipe, status: ErrorStatus, writesLine: boolean): void {
  const { body, log, line } = RESPONSES[status];
  if (writesLine) void pipe.ownCall(log, [line]);
  void pipe.ownCall(EXIT, [status, body, { 'Content-Type': 'application/json; charset=utf-8' }]);
}

/** Kong's reading of "all headers", and its maximum. */
const MAX_HEADERS = 1000;
/** An upstream may send more than Kong shows at once. */
const MAX_ROUNDS = 20;
/** Kong frames the response itself; clearing these could break it. */
const FRAMING_HEADERS = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding']);

/** In the response phase an exit keeps the upstream's headers (cookies, for example), so they are cleared first. */
export async function clearUpstreamHeaders(pipe: PdkPipe): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const headers = (await pipe.ownCall(GET_HEADERS, [MAX_HEADERS])) as Record<string, string | string[]>;
    let values = 0;
    for (const [name, value] of Object.entries(headers)) {
      values += Array.isArray(value) ? value.length : 1;
      if (!FRAMING_HEADERS.has(name.toLowerCase())) void pipe.ownCall(CLEAR_HEADER, [name]);
    }
    if (values < MAX_HEADERS) return;
  }
}
