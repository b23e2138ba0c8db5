-- Kong schema of the ping-auth plugin, for Konnect and for the control plane of a hybrid deployment.
-- Made from src/config by `npm run generate`; change it there.
return {
  name = "ping-auth",
  fields = {
    {
      protocols = {
        type = "set",
        required = true,
        default = { "grpc", "grpcs", "http", "https" },
        elements = { type = "string", one_of = { "grpc", "grpcs", "http", "https" } },
      },
    },
    {
      config = {
        type = "record",
        required = true,
        fields = {
          {
            service_url = {
              type = "string",
              required = true,
              description = "Base URL of the policy provider, for example https://pingaccess.example.com:3020. Leave out /sideband/request: it is appended. A path and a query are kept.",
              referenceable = true,
              match_all = {
                {
                  pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]",
                  err = "must start with https:// (or http://) and a host name",
                },
              },
              match_none = {
                {
                  pattern = "[%s%c\\]",
                  err = "must not contain spaces, line breaks or backslashes",
                },
                {
                  pattern = "^%a+://[^/?]*@",
                  err = "must not contain credentials; use shared_secret",
                },
                { pattern = "#", err = "must not contain a fragment (#)" },
                {
                  pattern = "[^/]/sideband/?$",
                  err = "must not end in /sideband; the plugin appends /sideband/request itself",
                },
                {
                  pattern = "[^/]/sideband/re[qs][up]%a+/?$",
                  err = "must not contain /sideband/request or /sideband/response; the plugin appends them itself",
                },
              },
            },
          },
          {
            shared_secret = {
              type = "string",
              required = true,
              description = "Secret that authenticates this gateway to the policy provider, sent exactly as given. Can be a vault reference.",
              referenceable = true,
              encrypted = true,
              match_none = {
                { pattern = "%c", err = "must not contain line breaks or other control characters" },
                { pattern = "^%s", err = "must not start with a space" },
                { pattern = "%s$", err = "must not end with a space" },
                {
                  pattern = "<[Cc]lient[ _-]?[Nn]ame>",
                  err = "still contains the placeholder <client name>; replace it with the name from the policy provider",
                },
              },
            },
          },
          {
            secret_header_name = {
              type = "string",
              required = true,
              description = "Name of the HTTP header that carries the shared secret, as configured in the policy provider, for example CLIENT-TOKEN.",
              match_all = {
                {
                  pattern = "^[%w!#$%%&'*+.^_`|~-]+$",
                  err = "must be a header name: letters, digits and hyphens, no spaces or colons",
                },
              },
            },
          },
          {
            connection_timeout_ms = {
              type = "integer",
              gt = 0,
              default = 10000,
              description = "Milliseconds to wait for a connection to the policy provider. It is also the deadline of the whole call, at most 50 seconds, unless call_timeout_ms is set.",
            },
          },
          {
            call_timeout_ms = {
              type = "integer",
              between = { 1, 50000 },
              description = "Deadline in milliseconds of one call to the policy provider with everything in it: queue, connection, failover and answer. Unset: connection_timeout_ms, at most 50000.",
            },
          },
          {
            connection_keepAlive_ms = {
              type = "integer",
              gt = 0,
              default = 60000,
              description = "Milliseconds for which an idle connection to the policy provider is kept open for the next call.",
            },
          },
          {
            verify_service_certificate = {
              type = "boolean",
              default = true,
              description = "Whether the policy provider's TLS certificate is verified. Switching it off lets anybody on the network path decide over requests: for tests only.",
            },
          },
          {
            enable_debug_logging = {
              type = "boolean",
              default = false,
              description = "Whether the messages exchanged with the policy provider are logged. Secrets, tokens and cookies are redacted; bodies are cut.",
            },
          },
          {
            ca_certificate = {
              type = "string",
              description = "PEM text of one or more certificates. Only what they (or certificates issued by them) vouch for is trusted as policy provider, instead of Node.js's own list of authorities.",
              referenceable = true,
              match_all = {
                {
                  pattern = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-",
                  err = "must be PEM text with -----BEGIN CERTIFICATE-----",
                },
              },
            },
          },
          {
            client_certificate = {
              type = "string",
              description = "PEM text of the certificate, with its chain, that the plugin shows to a policy provider which asks for one (mutual TLS). Needs client_key.",
              referenceable = true,
              match_all = {
                {
                  pattern = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-",
                  err = "must be PEM text with -----BEGIN CERTIFICATE-----",
                },
              },
            },
          },
          {
            client_key = {
              type = "string",
              description = "PEM text of the private key of client_certificate, without a passphrase. Can be a vault reference.",
              referenceable = true,
              encrypted = true,
              match_all = {
                {
                  pattern = "%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY%-%-%-%-%-",
                  err = "must be a PEM private key",
                },
              },
            },
          },
          {
            tls_server_name = {
              type = "string",
              description = "Host name to ask for in the TLS handshake (SNI) and to expect in the policy provider's certificate, when it differs from the host in service_url.",
              match_all = { { pattern = "^[%w._-]+$", err = "must be a host name, without scheme and port" } },
            },
          },
          {
            failover_service_urls = {
              type = "array",
              elements = {
                type = "string",
                referenceable = true,
                match_all = {
                  {
                    pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]",
                    err = "must start with https:// (or http://) and a host name",
                  },
                },
                match_none = {
                  {
                    pattern = "[%s%c\\]",
                    err = "must not contain spaces, line breaks or backslashes",
                  },
                  {
                    pattern = "^%a+://[^/?]*@",
                    err = "must not contain credentials; use shared_secret",
                  },
                  { pattern = "#", err = "must not contain a fragment (#)" },
                  {
                    pattern = "[^/]/sideband/?$",
                    err = "must not end in /sideband; the plugin appends /sideband/request itself",
                  },
                  {
                    pattern = "[^/]/sideband/re[qs][up]%a+/?$",
                    err = "must not contain /sideband/request or /sideband/response; the plugin appends them itself",
                  },
                },
              },
              len_max = 8,
              default = {},
              description = "Further policy providers, in order, with the same secret and TLS settings. The next one is called only if no byte of an answer arrived: not reached, TLS failed, or connection lost before the answer.",
            },
          },
          {
            failover_retry_ms = {
              type = "integer",
              between = { 100, 3600000 },
              default = 30000,
              description = "Milliseconds for which a policy provider that gave no answer is ejected: the others are called first. After that a single request probes it.",
            },
          },
          {
            circuit_failures = {
              type = "integer",
              between = { 0, 10000 },
              default = 0,
              description = "Number of consecutive failures (no connection, connection lost, no answer in time, status 5xx) after which the circuit breaker opens: the policy provider is not called for circuit_open_ms. 0 switches it off. A client that can make the provider slow or fail can open it for all others, unless other calls succeed in between.",
            },
          },
          {
            circuit_open_ms = {
              type = "integer",
              between = { 100, 600000 },
              default = 10000,
              description = "Milliseconds for which requests are refused with 503 at once after circuit_failures failures. After that a single request probes the policy provider.",
            },
          },
          {
            connections = {
              type = "integer",
              between = { 1, 4096 },
              default = 64,
              description = "Largest number of connections to one policy provider, per worker process of the plugin server. Every connection carries one call at a time.",
            },
          },
          {
            max_queued_calls = {
              type = "integer",
              between = { 0, 100000 },
              default = 1024,
              description = "How many calls may wait for a free connection to one policy provider. Any more are answered with 503 at once.",
            },
          },
          {
            mode = {
              type = "string",
              one_of = { "enforce", "monitor" },
              default = "enforce",
              description = "enforce: the decision is carried out. monitor: the policy provider is called and the decision is logged and counted, but nothing is refused or changed, so nothing is protected.",
            },
          },
          {
            fail_open_request = {
              type = "boolean",
              default = false,
              description = "Whether a request passes unchecked when the policy provider is unreachable: no byte of the call could be sent (DNS failure, connection refused or not established in time), or the circuit breaker is open because of that. Everything else is refused, see fail_open_scope. The request carries X-Ping-Auth: fail-open to the upstream.",
            },
          },
          {
            fail_open_response = {
              type = "boolean",
              default = false,
              description = "Whether a response passes unfiltered when the policy provider, after it permitted the request, is unreachable: under the same conditions as fail_open_request.",
            },
          },
          {
            fail_open_scope = {
              type = "string",
              one_of = { "unreachable", "unavailable" },
              default = "unreachable",
              description = "When fail_open_request and fail_open_response apply. unreachable: only when no byte of the call could be sent. unavailable: also when a provider that was reached gives no answer in time, loses the connection or answers with status 5xx. With unavailable, a client that can make the provider slow or fail can get its requests past the policy.",
            },
          },
          {
            error_status = {
              type = "integer",
              between = { 400, 599 },
              not_one_of = { 444, 499 },
              default = 502,
              description = "HTTP status that a client gets when the decision could not be obtained from the policy provider (where the documentation says 502).",
            },
          },
          {
            mcp = {
              type = "boolean",
              default = false,
              description = "Whether the route leads to an MCP server (Model Context Protocol over HTTP). Messages are read strictly, the policy always sees mcp-method and mcp-name, event streams are shown as JSON, and denials become JSON-RPC errors.",
            },
          },
          {
            mcp_denials = {
              type = "string",
              one_of = { "json_rpc", "http" },
              default = "json_rpc",
              description = "What becomes of the policy's denial of an MCP message. json_rpc: a JSON-RPC error that an agent understands, except where HTTP matters to clients (401, WWW-Authenticate, redirects). http: as the policy said.",
            },
          },
          {
            send_request_body = {
              type = "boolean",
              default = true,
              description = "Whether request bodies are shown to the policy provider. A body that is not shown still reaches the upstream, unless the policy sets another.",
            },
          },
          {
            send_response_body = {
              type = "boolean",
              default = true,
              description = "Whether response bodies are shown to the policy provider. A body that is not shown still reaches the client, unless the policy sets another.",
            },
          },
          {
            max_request_body_bytes = {
              type = "integer",
              between = { 1, 104857600 },
              default = 8388608,
              description = "Largest request body in bytes that is shown to the policy provider.",
            },
          },
          {
            max_response_body_bytes = {
              type = "integer",
              between = { 1, 104857600 },
              default = 8388608,
              description = "Largest response body in bytes that is shown to the policy provider.",
            },
          },
          {
            request_body_over_limit = {
              type = "string",
              one_of = { "reject", "omit" },
              default = "reject",
              description = "What happens to a request whose body is over max_request_body_bytes. reject: status 413, nobody is asked. omit: the policy decides without seeing the body.",
            },
          },
          {
            response_body_over_limit = {
              type = "string",
              one_of = { "reject", "omit" },
              default = "reject",
              description = "What happens to a response whose body is over max_response_body_bytes. reject: it is withheld, status 502. omit: the policy decides without seeing the body.",
            },
          },
          {
            body_content_types = {
              type = "array",
              elements = {
                type = "string",
                match_all = { { pattern = "^[%w*][^%s;,]*$", err = "must be a media type without parameters" } },
              },
              default = {},
              description = "Media types of bodies that are shown to the policy provider, for example application/json, text/* or *+json. Empty: every type. Other bodies are handled as opaque_bodies says.",
            },
          },
          {
            opaque_bodies = {
              type = "string",
              one_of = { "omit", "reject", "allow_unreadable" },
              default = "omit",
              description = "What happens with a body that is no text, or not in body_content_types. omit: the policy decides without it. reject: 415 for a request, 502 for a response. Text whose coding or charset cannot be undone is always refused, unless this is allow_unreadable: then the policy decides without it.",
            },
          },
          {
            excluded_request_headers = {
              type = "array",
              elements = {
                type = "string",
                match_all = { { pattern = "^[%w!#$%%&'*+.^_`|~-]+$", err = "must be a header name" } },
              },
              default = {},
              description = "Names of request headers that the policy provider is not shown. They reach the upstream as the client sent them.",
            },
          },
          {
            max_sideband_response_bytes = {
              type = "integer",
              between = { 1024, 268435456 },
              default = 33554432,
              description = "Largest answer of the policy provider in bytes; a larger one is refused with 502. It holds the whole message and the state, so allow for more than twice the largest body.",
            },
          },
          {
            allow_http2 = {
              type = "boolean",
              default = false,
              description = "Whether HTTP/2 clients are served. Needs Kong 3.9 or later: older versions skip the response phase for them, and responses would pass unfiltered.",
            },
          },
          {
            allow_upgrade = {
              type = "boolean",
              default = false,
              description = "Whether protocol upgrades such as WebSocket are let through once the request is permitted. Kong skips the response phase for a request that asks for a WebSocket: whatever the upstream answers, a plain 200 too, goes out unfiltered.",
            },
          },
        },
        entity_checks = { { mutually_required = { "client_certificate", "client_key" } } },
      },
    },
  },
}
