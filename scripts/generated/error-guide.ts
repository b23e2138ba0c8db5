import type { ErrorCode } from '../../src/errors/catalogue.js';

/** What docs/errors.md says of a code beside its entry in the catalogue. Markdown. */
export interface ErrorGuide {
  /** When it happens. */
  readonly cause: string;
  /** What to do, by the system that has to be changed: **Kong**, **Plugin server**, **Policy provider**, **Client** … */
  readonly fix: string;
}

export const ERROR_GUIDE: Readonly<Record<ErrorCode, ErrorGuide>> = {
  config_invalid: {
    cause:
      'A field has a value that the plugin rejects, or a vault reference cannot be resolved: it arrives as an empty text. Kong checks references at its own start only.',
    fix: "**Kong**: `detail` names each field, the reason and the remedy. `ping-auth check` with Kong's environment shows what Kong sees; for vault references look for `vault` in Kong's log.",
  },
  internal_error: {
    cause: 'A defect in ping-auth.',
    fix: 'Please report it with the log line, its `stack` and the output of `ping-auth-pluginserver --version`.',
  },
  state_missing: {
    cause:
      'The response phase found no request context, so the response was withheld. A plugin with a higher priority answered in the access phase and Kong ran the response phase all the same, or the plugin server was upgraded between the two phases of this request.',
    fix: '**Kong**: look for another plugin that answers in the access phase. If it happens again without one, please report it.',
  },
  server_overloaded: {
    cause:
      'The plugin server has more requests in progress than `--max-events`, no memory left under `--max-inflight-bytes` for one more large body, no file descriptor or local port, or its event loop was late for more than a tenth of the time that the call took. `detail` says which.',
    fix: '**Plugin server**: raise `--workers`, `--max-events` or `--max-inflight-bytes`, or the limit of open files (`ulimit -n`). **Policy provider**: slow answers make requests pile up; compare `provider_ms` in the lines before.',
  },
  http2_not_allowed: {
    cause: 'An HTTP/2 client, and `allow_http2` is off.',
    fix: '**Kong**: set `allow_http2: true` on Kong 3.9 or later. On an earlier version remove `http2` from `proxy_listen`: there the response phase does not run for HTTP/2.',
  },
  upgrade_not_allowed: {
    cause: 'A WebSocket or another upgrade. Kong does not run the response phase for it.',
    fix: '**Kong**: set `allow_upgrade: true` if it is enough that the policy evaluates the request.',
  },
  method_not_supported: {
    cause: 'nginx does not know the method; Kong would send the request to the upstream as GET.',
    fix: '**Client**: use another method.',
  },
  request_unreadable: {
    cause:
      "The request target, the Host header or the client certificate cannot be shown to the policy as what it is: HTTP/0.9 or HTTP/1.15, a Host that is not exactly the host Kong routes by (other case, trailing dot, not among the first 100 headers), two different lines of a singleton header (User-Agent, Referer, Content-Type, Range …), a control character in a header, or a Connection header that names one of the request's own headers. `detail` says which.",
    fix: '**Client**: correct the request.',
  },
  too_many_request_headers: {
    cause: 'The request has 1000 header fields or more. Kong shows a plugin no more than that.',
    fix: '**Client**: send fewer headers.',
  },
  request_body_too_large: {
    cause:
      'The body, or the decoded body of a compressed request, is larger than `max_request_body_bytes`, or it expands more than a hundredfold.',
    fix: '**Kong**: raise `max_request_body_bytes` (and the limit of the policy provider, and `--max-body-bytes` of the plugin server), or set `request_body_over_limit: omit` if the policy does not need large bodies.',
  },
  request_context_too_large: {
    cause:
      'Between the phases Kong keeps what the response call needs: the `state` that the policy returned or, without one, everything that the policy was shown of the request. It is larger than `max_request_context_bytes`. If it is the `state` itself that is too large, the client gets `error_status` instead of 413.',
    fix: "**Policy**: return `state`; then nothing of the request is kept. **Kong**: raise `max_request_context_bytes` (Kong's worker holds that much for each request that waits for its upstream), or do not show the bodies of this route (`send_request_body: false`, `body_content_types`).",
  },
  request_body_opaque: {
    cause:
      'The body is not text by its Content-Type and is compressed or not UTF-8, or its type is not in `body_content_types`, and `opaque_bodies` is `reject`.',
    fix: '**Kong**: `opaque_bodies: omit` lets the policy decide without the body. **Client**: send text with its own media type, not as `application/octet-stream`.',
  },
  request_body_encoded: {
    cause: 'The request body has a Content-Encoding, and `encoded_request_bodies` is `reject`.',
    fix: '**Client**: send the body without Content-Encoding. **Kong**: `encoded_request_bodies: decode` shows the decoded body to the policy and to the upstream.',
  },
  request_body_unreadable: {
    cause:
      'The body is text by its type, but its Content-Encoding or charset is unknown (415), or it is damaged or readers would read different texts (400). The policy could not be shown what the upstream would read.',
    fix: '**Client**: use a known content encoding and charset. **Kong**: `opaque_bodies: allow_unreadable` lets such bodies pass unseen by the policy.',
  },
  request_body_unavailable: {
    cause:
      'nginx writes request bodies over 8 kB (`nginx_http_client_body_buffer_size`) to a file below the prefix of Kong, and the plugin server cannot read it. `detail` says why.',
    fix: "**Plugin server**: run it as the user of Kong's workers, and make the folder visible under the same path: a sidecar container needs Kong's prefix mounted. If `--body-dir` is set, it has to name that prefix. **Kong**: keep `nginx_http_client_body_temp_path` at its default, or raise `nginx_http_client_body_buffer_size` above `max_request_body_bytes`.",
  },
  too_many_response_headers: {
    cause: 'The upstream sent 1000 header fields or more.',
    fix: '**Upstream**: send fewer headers.',
  },
  response_body_too_large: {
    cause: 'The body of the upstream, or its decoded form, is larger than `max_response_body_bytes`.',
    fix: '**Kong**: raise `max_response_body_bytes`, or set `response_body_over_limit: omit`. For downloads see [streaming](streaming.md).',
  },
  response_body_opaque: {
    cause:
      'The body of the upstream is not text that the policy can be shown (an image, an archive …), and `opaque_bodies` is `reject`.',
    fix: '**Kong**: `opaque_bodies: omit` lets the policy decide without the body.',
  },
  response_body_unreadable: {
    cause:
      'The body of the upstream is text by its type, but its content encoding or charset cannot be decoded.',
    fix: '**Upstream**: use a known content encoding and charset.',
  },
  mcp_message_invalid: {
    cause:
      'With `mcp: true`: the body is not one JSON-RPC request or notification that the policy and the MCP server read alike. `detail` says what is wrong. Clients of revision 2025-03-26 that send batches have to send each message on its own.',
    fix: '**Client**: see [what is refused](mcp.md#what-is-refused).',
  },
  mcp_headers_disagree: {
    cause:
      'With `mcp: true`: `Mcp-Method`, `Mcp-Name` or `MCP-Protocol-Version` differs from the body, occurs twice, or is missing although the revision requires it.',
    fix: '**Client**: it has a defect, or it tries to deceive the policy.',
  },
  mcp_method_not_allowed: {
    cause:
      'With `mcp: true`: usually a client that asks for the GET stream of earlier revisions. It goes on without the stream.',
    fix: 'Nothing to do. See [what is not possible](mcp.md#what-is-not-possible).',
  },
  mcp_method_not_offered: {
    cause:
      'With `mcp: true`: `subscriptions/listen`, a stream without an end. Kong would buffer it for ever.',
    fix: 'Nothing to do. See [what is not possible](mcp.md#what-is-not-possible).',
  },
  mcp_origin_not_allowed: {
    cause:
      'With `mcp: true` and `mcp_allowed_origins`: the request comes from a web page (it has an `Origin` header) that is not on the list.',
    fix: '**Kong**: if the page belongs to a client of yours, add its origin. Otherwise there is nothing to do. See [Origin and CORS](mcp.md#web-pages-origin-and-cors).',
  },
  mcp_response_invalid: {
    cause:
      'With `mcp: true`: the MCP server did not answer with one JSON-RPC response to the request. "a request of the server" in `detail` means that the server asks the client something in the middle of a call (sampling, elicitation).',
    fix: '**MCP server**: see [what is not possible](mcp.md#what-is-not-possible).',
  },
  provider_unreachable: {
    cause:
      'No connection to the policy provider: refused, timed out, or the host name is not known. Nothing of the call was sent.',
    fix: '**PingAccess**: is `sideband.http.enabled=true` set on this engine? **Kong**: is the port in `service_url` the sideband port (3020)? **Network**: firewall, DNS.',
  },
  provider_connection_lost: {
    cause:
      'The connection was lost after a byte of the call was sent, before a complete answer: the policy provider was stopped or crashed, or closed the connection.',
    fix: '**Policy provider**: look into its log. If `detail` says that the message is large, its size limit is the likely reason: raise it. **Kong**: or lower `max_request_body_bytes` and `max_response_body_bytes`, with `omit` if those bodies may pass unseen.',
  },
  provider_tls_failed: {
    cause:
      'The certificate of the policy provider is expired, not yet valid, self-signed, of an unknown authority or for another name; or there is no common TLS version; or the provider requires a client certificate. `detail` says which.',
    fix: '**Kong**: put the certificate, or the authority that issued it, into `ca_certificate`; set `tls_server_name` if the certificate is for another name; set `client_certificate` and `client_key` if the provider requires them. **Policy provider**: renew an expired certificate.',
  },
  provider_timeout: {
    cause:
      'The policy provider did not answer within `call_timeout_ms` (or `connection_timeout_ms`), or no connection to it could be established in that time; only the latter can fail open with `fail_open_scope: unreachable`.',
    fix: '**Policy provider**: find the slow decision by its `correlation_id`. **Network**: a firewall that drops packets shows as a time-out of the connection.',
  },
  provider_failing: {
    cause: 'The policy provider answered with a 5xx status.',
    fix: '**Policy provider**: look into its log, by `provider_error_id` or `correlation_id`.',
  },
  provider_circuit_open: {
    cause:
      '`circuit_failures` calls in a row failed; no call is made for `circuit_open_ms`. With `fail_open_scope: unreachable` it can fail open only if none of them could be sent.',
    fix: 'The lines before it have the cause.',
  },
  provider_queue_full: {
    cause:
      'All `connections` are busy and `max_queued_calls` calls wait, or the call deadline passed after the call had waited for more than a tenth of its time.',
    fix: '**Policy provider**: faster answers. **Kong**: more `connections`, if the provider can take them.',
  },
  provider_rate_limited: {
    cause:
      'The policy provider answered 429. No call is made until its Retry-After has passed (at most 5 minutes).',
    fix: '**Policy provider**: raise the limit of this gateway. PingOne: 500 requests a second; each request through Kong takes two calls.',
  },
  provider_payload_too_large: {
    cause: 'The policy provider answered 413.',
    fix: '**Policy provider**: raise its limit. **Kong**: or lower `max_request_body_bytes` and `max_response_body_bytes`.',
  },
  provider_secret_refused: {
    cause:
      'The policy provider answered 401. After a change of the secret in a vault, ping-auth asks Kong for the new one by itself, at most once in 30 seconds.',
    fix: '**Kong**: compare `shared_secret` and `secret_header_name` with the policy provider. **PingAccess**: is the placeholder `<client name>` replaced? **PingAuthorize**: is the secret selected in the Sideband API servlet extension?',
  },
  provider_forbidden: {
    cause: 'The policy provider answered 403 to the sideband call itself; a denial looks different.',
    fix: '**Policy provider**: may this gateway use the Sideband API? **Network**: a proxy in between may have answered.',
  },
  provider_no_endpoint: {
    cause: 'The policy provider answered 404.',
    fix: '**Kong**: is `service_url` right, and without `/sideband`? If clients come through a load balancer, Kong has to trust it (`trusted_ips`), or the policy is shown the inner URL. **Policy provider**: an application (PingAccess), a Sideband API endpoint (PingAuthorize) or an API service (PingOne) has to match the URL as clients call it.',
  },
  provider_rejected: {
    cause: 'The policy provider answered with another 4xx status. `detail` has its code and message.',
    fix: 'A 400 means that the provider does not understand the message: please report it.',
  },
  provider_unexpected_status: {
    cause: 'A redirect, which is not followed, a 2xx that is not 200, or a 1xx.',
    fix: '**Kong**: `service_url` probably names another service, or `http://` where `https://` is needed.',
  },
  provider_not_json: {
    cause: 'The answer is HTML, cut off, empty, or not HTTP at all.',
    fix: '**Kong**: check host and port of `service_url`. **PingAccess**: 3020, not the port of the console or of the engine.',
  },
  provider_answer_invalid: {
    cause:
      'The answer is JSON, but not an answer of the Sideband API: `{}`, `"response": null`, a missing or wrong member. `detail` names it.',
    fix: '**Kong**: check `service_url`. Otherwise try the answer with `ping-auth explain`.',
  },
  provider_answer_too_large: {
    cause: 'The answer, its headers or its trailers are larger than `max_sideband_response_bytes`.',
    fix: '**Kong**: raise `max_sideband_response_bytes`. An answer holds the whole message and the state.',
  },
  directive_invalid: {
    cause: 'The policy asks for a header, URL, method or status that must not be sent on. `detail` names it.',
    fix: '**Policy provider**: correct the rule. `ping-auth explain` shows what it asks for.',
  },
  client_gone: {
    cause: 'The client closed the connection before there was an answer; the sideband call was cancelled.',
    fix: 'Nothing to do, unless clients give up because answers are slow.',
  },
};
