/**
 * How much has to be wrong with the policy provider before `fail_open_*` applies. `unreachable`: no byte of the call was
 * written. `unavailable`: also when it was reached and gave no answer in time, lost the connection, or answered 5xx.
 */
export type FailOpenScope = 'unreachable' | 'unavailable';

/**
 * The one list of everything that can go wrong. Each code says what the client gets, the level of the log line and
 * whether `fail_open_*` may apply: never for what a client sent, nor for what happens inside ping-auth.
 */
export interface ErrorEntry {
  /** HTTP status for the client; 502 entries are replaced by the admin's `error_status`. */
  readonly status: number;
  /** What the client may read. Tells nothing about the inside. */
  readonly message: string;
  /** What it means, for the operator: log lines and docs/errors.md. */
  readonly meaning: string;
  /** What an operator can do about it, in one sentence; docs/errors.md says more. */
  readonly remedy: string;
  readonly level: 'info' | 'warn' | 'error';
  /**
   * The `fail_open_scope` from which on the error can fail open. Where one code has both (`provider_timeout`,
   * `provider_circuit_open`), the wider one; the error itself knows better: `PingAuthError.mayFailOpen`.
   */
  readonly failOpenScope: FailOpenScope | undefined;
}

/** What the client gets. */
type Answer = readonly [status: number, message: string];
type Exceptions = Partial<Pick<ErrorEntry, 'level' | 'failOpenScope'>>;

export const ERRORS = {
  config_invalid: operatorError(
    [500, 'The gateway is not configured correctly'],
    'The plugin configuration is invalid; every request is refused until it is corrected',
    'correct this in the configuration of the plugin',
  ),
  internal_error: operatorError(
    [500, 'An internal error occurred'],
    'A defect in ping-auth; please report it with the log line',
    'report it with the line of the log file',
  ),
  state_missing: operatorError(
    [500, 'An internal error occurred'],
    'The response phase found no record of a permitted request; the response was withheld',
    'look for another plugin that answered in the access phase, or an update in the middle of the request',
  ),
  server_overloaded: operatorError(
    [503, 'The service is overloaded'],
    'The plugin server has more requests in progress than it accepts, no memory for one more large body, or no CPU time left',
    'raise --workers, --max-events or --max-inflight-bytes, or make the policy provider answer faster',
    { level: 'warn' },
  ),

  http2_not_allowed: clientError(
    [400, 'HTTP/2 is not supported here'],
    'An HTTP/2 client; allow_http2 admits it on Kong 3.9 or later',
    'set allow_http2 on Kong 3.9 or later, or take http2 out of proxy_listen',
  ),
  upgrade_not_allowed: clientError(
    [400, 'Protocol upgrades are not supported here'],
    'An upgrade (WebSocket) skips the response phase; allow_upgrade admits it',
    'set allow_upgrade where upgraded connections need no response policy',
  ),
  method_not_supported: clientError(
    [501, 'The request method is not supported'],
    'A method nginx does not know would reach the upstream as GET',
    'the client has to use a method that nginx knows',
  ),
  request_unreadable: clientError(
    [400, 'The request could not be read'],
    'The request target or Host is not a URL that the policy could be shown',
    'the detail in the log says what the client has to send differently',
  ),
  too_many_request_headers: clientError(
    [431, 'Too many request headers'],
    'Kong shows a plugin 1000 headers at most; more would reach the upstream unseen',
    'the client has to send fewer headers',
  ),
  request_body_too_large: clientError(
    [413, 'The request body is too large'],
    'The request body is over max_request_body_bytes',
    'raise max_request_body_bytes, or set request_body_over_limit to omit',
  ),
  request_context_too_large: operatorError(
    [413, 'The request is too large'],
    'What Kong would have to keep of the request for the response phase is over max_request_context_bytes',
    'let the policy return state, raise max_request_context_bytes, or exclude bodies (send_request_body, body_content_types)',
    { level: 'warn' },
  ),
  request_body_opaque: clientError(
    [415, 'The request body cannot be evaluated'],
    'The request body is not text that the policy could be shown, and opaque_bodies is reject',
    'set opaque_bodies to omit where such bodies are to pass unseen',
  ),
  request_body_encoded: clientError(
    [415, 'Compressed request bodies are not supported here'],
    'The request body has a Content-Encoding, and encoded_request_bodies is reject',
    'set encoded_request_bodies to decode, or let the client send the body without Content-Encoding',
  ),
  request_body_unreadable: clientError(
    [415, 'The request body cannot be read'],
    'The request body is text by its type, but its content encoding or charset cannot be decoded for the policy',
    'the client has to send a known content encoding and charset; opaque_bodies: allow_unreadable lets such bodies pass unseen',
  ),
  request_body_unavailable: operatorError(
    [500, 'An internal error occurred'],
    'The buffered request body file is not readable by the plugin server',
    "run the plugin server as the user of Kong's workers, and let --body-dir name Kong's prefix if it is given",
  ),

  too_many_response_headers: badGateway(
    'The upstream sent 1000 headers or more; some would pass unseen',
    'the upstream has to send fewer headers',
    { level: 'warn' },
  ),
  response_body_too_large: badGateway(
    'The upstream body is over max_response_body_bytes',
    'raise max_response_body_bytes, or set response_body_over_limit to omit',
    { level: 'warn' },
  ),
  response_body_opaque: badGateway(
    'The upstream body is not text that the policy could be shown, and opaque_bodies is reject',
    'set opaque_bodies to omit where such bodies are to pass unseen',
    { level: 'warn' },
  ),
  response_body_unreadable: badGateway(
    'The upstream body is text by its type, but its content encoding or charset cannot be decoded for the policy',
    'the upstream has to send a known content encoding and charset; opaque_bodies: allow_unreadable lets such bodies pass unseen',
    { level: 'warn' },
  ),

  mcp_message_invalid: clientError(
    [400, 'The message is not one that is accepted here'],
    'Not one JSON-RPC request or notification that policy and MCP server read alike',
    'the client has to send one JSON-RPC object that all parsers read alike; the detail in the log names the problem',
  ),
  mcp_headers_disagree: clientError(
    [400, 'The headers do not agree with the message'],
    'Mcp-Method, Mcp-Name or MCP-Protocol-Version is missing or differs from the body',
    "the client's headers have to repeat what its message says",
  ),
  mcp_origin_not_allowed: clientError(
    [403, 'The Origin is not allowed here'],
    'The Origin header of the request is not in mcp_allowed_origins',
    'add the origin to mcp_allowed_origins if it belongs to a client of yours; otherwise nothing: a foreign web page was kept out',
  ),
  mcp_method_not_allowed: clientError(
    [405, 'The request method is not supported here'],
    'An HTTP method that MCP does not use, or the GET stream of earlier revisions, which would never end',
    'nothing; clients continue without that stream',
  ),
  mcp_method_not_offered: clientError(
    [404, 'The method is not offered here'],
    'subscriptions/listen, whose stream would be buffered without end',
    'use the access-only plugin on a route of its own where such streams are wanted',
  ),
  mcp_response_invalid: badGateway(
    'The MCP server did not answer with one JSON-RPC response to the request; it was withheld',
    'the detail in the log says what the MCP server has to send differently',
    { level: 'warn' },
  ),

  provider_unreachable: badGateway(
    'No connection to the policy provider; no byte of the call was sent',
    'check service_url, DNS, firewall and that the sideband listener is on, or run `ping-auth check`',
    { failOpenScope: 'unreachable' },
  ),
  provider_connection_lost: badGateway(
    'The connection to the policy provider was lost during the call, before a complete answer',
    "look into the policy provider's own log; for large messages, raise its message limit or lower max_request_body_bytes",
    { failOpenScope: 'unavailable' },
  ),
  provider_tls_failed: badGateway(
    'The TLS handshake with the policy provider failed or its certificate is not trusted',
    'check ca_certificate, tls_server_name and client_certificate, or run `ping-auth check`',
  ),
  provider_timeout: operatorError(
    [504, 'The policy decision took too long'],
    'No connection to the policy provider, or no complete answer, within the deadline',
    'find out why the policy provider is slow, or raise call_timeout_ms',
    { failOpenScope: 'unavailable' },
  ),
  provider_failing: badGateway(
    'The policy provider answered with a 5xx status',
    "look into the policy provider's own log",
    { failOpenScope: 'unavailable' },
  ),
  provider_circuit_open: operatorError(
    [503, 'The policy service is unavailable'],
    'The circuit breaker is open after repeated failures of the policy provider; no call was made',
    'look for the failures before it; the circuit breaker closes when a probe succeeds',
    { level: 'warn', failOpenScope: 'unavailable' },
  ),
  provider_queue_full: operatorError(
    [503, 'The service is overloaded'],
    'All connections to the policy provider are busy, and the queue is full or the call waited in it for too long',
    'raise connections or max_queued_calls, or make the policy provider answer faster',
    { level: 'warn' },
  ),
  provider_rate_limited: operatorError(
    [429, 'Too many requests'],
    'The policy provider answered 429; no call is made until its Retry-After has passed',
    'raise the rate limit of this gateway at the policy provider',
    { level: 'warn' },
  ),
  provider_payload_too_large: operatorError(
    [413, 'The request is too large'],
    'The policy provider answered 413: the payload is over its limit',
    'raise the message limit of the policy provider, or lower max_request_body_bytes',
    { level: 'warn' },
  ),
  provider_secret_refused: badGateway(
    'The policy provider answered 401: shared_secret or secret_header_name is wrong',
    'check shared_secret and secret_header_name, or run `ping-auth check`',
  ),
  provider_forbidden: badGateway(
    'The policy provider answered 403 to the sideband call',
    'check what the secret is allowed to do at the policy provider',
  ),
  provider_no_endpoint: badGateway(
    'The policy provider answered 404: service_url is wrong, or no API service matches the request URL',
    'check service_url, and that an API service matches the URL of the request',
  ),
  provider_rejected: badGateway(
    'The policy provider rejected the sideband payload with a 4xx status',
    "compare the detail in the log with the policy provider's log",
  ),
  provider_unexpected_status: badGateway(
    'The policy provider answered with a status that is not a decision',
    'check that service_url leads to the Sideband API and not to a proxy or login page',
  ),
  provider_not_json: badGateway(
    'The answer is not JSON: service_url probably names another service or port',
    'check host, port and scheme of service_url',
  ),
  provider_answer_invalid: badGateway(
    'The answer is JSON but not a sideband answer',
    'check that service_url leads to the Sideband API, and the version of the product',
  ),
  provider_answer_too_large: badGateway(
    'The answer is over max_sideband_response_bytes',
    'raise max_sideband_response_bytes',
  ),
  directive_invalid: badGateway(
    'The answer asks for something that must not be sent on (header, URL, method, status)',
    'correct the policy: the detail of the decision line (log_level = info, or --log-file) names what it asked for',
  ),
  client_gone: clientError(
    [499, 'The client closed the connection'],
    'The client went away; the sideband call was cancelled',
    'nothing; the client closed the connection',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** The client caused it: its developer is told the code, and no operator has to know. */
function clientError([status, message]: Answer, meaning: string, remedy: string): ErrorEntry {
  return { status, message, meaning, remedy, level: 'info', failOpenScope: undefined };
}

/** An operator has to know of it. */
function operatorError(
  [status, message]: Answer,
  meaning: string,
  remedy: string,
  { level = 'error', failOpenScope }: Exceptions = {},
): ErrorEntry {
  return { status, message, meaning, remedy, level, failOpenScope };
}

/** What a client need not tell from each other: 502, or the admin's `error_status`. */
function badGateway(meaning: string, remedy: string, exceptions?: Exceptions): ErrorEntry {
  return operatorError([502, 'The policy decision could not be obtained'], meaning, remedy, exceptions);
}
