-- Kong schema of the ping-auth plugin, for Konnect and for the control plane of a hybrid deployment.
-- Made from src/config by `npm run generate`; change it there.
return {
  name = "ping-auth",
  fields = {
    {
      protocols = {
        type = "set",
        required = true,
        default = { "http", "https" },
        elements = { type = "string", one_of = { "grpc", "grpcs", "http", "https" } },
      },
    },
    {
      config = {
        type = "record",
        fields = {
          {
            service_url = {
              type = "string",
              match_all = {
                {
                  pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]",
                  err = "must start with https:// (or http://) and a host name",
                },
              },
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
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
              referenceable = true,
              description = "Base URL of the policy provider, such as `https://pingaccess.example.com:3020`. A path and a query are kept.\n\nLeave out `/sideband/request`; ping-auth appends it.\n\nCan be a vault reference: `{vault://env/ping-auth-url}` is the environment variable `PING_AUTH_URL` of Kong.",
              required = true,
            },
          },
          {
            shared_secret = {
              type = "string",
              encrypted = true,
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                { pattern = "%c", err = "must not contain line breaks or other control characters" },
                { pattern = "^%s", err = "must not start with a space" },
                { pattern = "%s$", err = "must not end with a space" },
                {
                  pattern = "<[Cc]lient[ _-]?[Nn]ame>",
                  err = "still contains the placeholder <client name>; replace it with the name from the policy provider",
                },
              },
              referenceable = true,
              description = "Secret that authenticates this gateway to the policy provider. It is sent exactly as given.\n\nCan be a vault reference: `{vault://env/ping-auth-secret}` is the environment variable `PING_AUTH_SECRET` of Kong.",
              required = true,
            },
          },
          {
            secret_header_name = {
              type = "string",
              default = "CLIENT-TOKEN",
              match_all = {
                {
                  pattern = "^[%w!#$%%&'*+.^_`|~-]+$",
                  err = "must be a header name: letters, digits and hyphens, no spaces or colons",
                },
              },
              description = "Name of the HTTP header that carries the shared secret, as configured in the policy provider.\n\n`CLIENT-TOKEN` is what PingAccess, PingAuthorize and PingOne Authorize use unless changed there.",
              required = true,
            },
          },
          {
            connection_timeout_ms = {
              type = "integer",
              gt = 0,
              default = 10000,
              description = "How many milliseconds to wait for a connection to the policy provider.\n\nUnless `call_timeout_ms` is set, it is also the deadline of the whole call, at most 50 seconds.\n\nAbove 0; empty: 10000 (10 seconds).",
            },
          },
          {
            call_timeout_ms = {
              type = "integer",
              between = { 1, 50000 },
              description = "Deadline in milliseconds of one call to the policy provider, including queue, connection, failover and answer.\n\nEmpty: `connection_timeout_ms`, at most 50 seconds.\n\nFrom 1 to 50000 (50 seconds).",
            },
          },
          {
            connection_keepAlive_ms = {
              type = "integer",
              gt = 0,
              default = 60000,
              description = "How many milliseconds an idle connection to the policy provider stays open for the next call.\n\nAbove 0; empty: 60000 (1 minute).",
            },
          },
          {
            verify_service_certificate = {
              type = "boolean",
              default = true,
              description = "Whether ping-auth verifies the policy provider's TLS certificate.\n\nFor tests only: when it is off, anybody on the network path can answer for the policy provider.",
            },
          },
          {
            enable_debug_logging = {
              type = "boolean",
              default = false,
              description = "Whether ping-auth logs the messages that it exchanges with the policy provider. Secrets, tokens and cookies are redacted; long bodies are cut off.",
            },
          },
          {
            ca_certificate = {
              type = "string",
              match_all = {
                {
                  pattern = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-",
                  err = "must be PEM text with -----BEGIN CERTIFICATE-----",
                },
              },
              referenceable = true,
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
              },
              description = "PEM text of one or more certificates. ping-auth trusts a policy provider only if its certificate is one of them or was issued by one of them.\n\nEmpty: Node.js's list of authorities.\n\nPaste the text as it is; lost line breaks do not matter.\n\nCan be a vault reference: `{vault://env/ping-auth-ca}` is the environment variable `PING_AUTH_CA` of Kong.",
            },
          },
          {
            client_certificate = {
              type = "string",
              match_all = {
                {
                  pattern = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-",
                  err = "must be PEM text with -----BEGIN CERTIFICATE-----",
                },
              },
              referenceable = true,
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
              },
              description = "PEM text of the certificate, followed by its chain, that ping-auth presents to a policy provider that asks for one (mutual TLS). Needs `client_key`.\n\nCan be a vault reference: `{vault://env/ping-auth-certificate}` is the environment variable `PING_AUTH_CERTIFICATE` of Kong.",
            },
          },
          {
            client_key = {
              type = "string",
              encrypted = true,
              match_all = {
                {
                  pattern = "%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY%-%-%-%-%-",
                  err = "must be a PEM private key",
                },
              },
              referenceable = true,
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
              },
              description = "PEM text of the private key of `client_certificate`, without a passphrase.\n\nCan be a vault reference: `{vault://env/ping-auth-key}` is the environment variable `PING_AUTH_KEY` of Kong.",
            },
          },
          {
            tls_server_name = {
              type = "string",
              match_all = { { pattern = "^[%w._-]+$", err = "must be a host name, without scheme and port" } },
              description = "Host name for the TLS handshake (SNI) and in the policy provider's certificate.\n\nEmpty: the host in `service_url`.",
            },
          },
          {
            failover_service_urls = {
              type = "array",
              elements = {
                type = "string",
                match_all = {
                  {
                    pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]",
                    err = "must start with https:// (or http://) and a host name",
                  },
                },
                match_none = {
                  {
                    pattern = "^[%s{\"']*{%s*vault:",
                    err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                  },
                  {
                    pattern = "^[%s\"']*vault://",
                    err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                  },
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
                referenceable = true,
              },
              len_max = 8,
              default = {},
              description = "URLs of further policy providers, in order, written like `service_url`. They use the same secret and TLS settings.\n\nThe next one is called only if no byte of an answer arrived: not reached, TLS failed, or connection lost before the answer.",
            },
          },
          {
            failover_retry_ms = {
              type = "integer",
              between = { 100, 3600000 },
              default = 30000,
              description = "How many milliseconds a policy provider that gave no answer is ejected: ping-auth calls the others first. After that, a single request probes it.\n\nFrom 100 to 3600000 (1 hour); empty: 30000 (30 seconds).",
            },
          },
          {
            circuit_failures = {
              type = "integer",
              between = { 0, 10000 },
              default = 0,
              description = "How many consecutive failures (no connection, connection lost, no answer in time, status 5xx) open the circuit breaker: ping-auth then does not call the policy provider for `circuit_open_ms`.\n\n0: never. A failure does not count if another call succeeded in the meantime. On an API with hardly any other traffic, a client that can make the policy provider slow or fail can open the circuit breaker for everybody.\n\nFrom 0 to 10000; empty: 0.",
            },
          },
          {
            circuit_open_ms = {
              type = "integer",
              between = { 100, 600000 },
              default = 10000,
              description = "How many milliseconds ping-auth refuses requests with 503 at once after `circuit_failures` failures. After that, a single request probes the policy provider.\n\nFrom 100 to 600000 (10 minutes); empty: 10000 (10 seconds).",
            },
          },
          {
            connections = {
              type = "integer",
              between = { 1, 4096 },
              default = 64,
              description = "Largest number of connections to one policy provider, for each worker process of the plugin server. A connection carries one call at a time.\n\nFrom 1 to 4096; empty: 64.",
            },
          },
          {
            max_queued_calls = {
              type = "integer",
              between = { 0, 100000 },
              default = 1024,
              description = "How many calls may wait for a free connection to one policy provider. ping-auth answers any further request with 503 at once.\n\nFrom 0 to 100000; empty: 1024.",
            },
          },
          {
            mode = {
              type = "string",
              one_of = { "enforce", "monitor" },
              default = "enforce",
              description = "**enforce**: ping-auth carries out the decision.\n\n**monitor**: ping-auth asks the policy provider and logs and counts the decision, but refuses and changes nothing. Nothing is protected.\n\nEmpty: enforce.",
            },
          },
          {
            fail_open_request = {
              type = "boolean",
              default = false,
              description = "Whether a request passes unchecked when the policy provider is unreachable: no byte of the call could be sent (DNS failure, connection refused or not established in time), or the circuit breaker is open because of that. It carries `X-Ping-Auth: fail-open` to the upstream.\n\nEverything else is refused; see `fail_open_scope`.",
            },
          },
          {
            fail_open_response = {
              type = "boolean",
              default = false,
              description = "Whether a response passes unfiltered when the policy provider is unreachable after it allowed the request, under the same conditions as `fail_open_request`.",
            },
          },
          {
            fail_open_scope = {
              type = "string",
              one_of = { "unreachable", "unavailable" },
              default = "unreachable",
              description = "When `fail_open_request` and `fail_open_response` apply.\n\n**unreachable**: only if no byte of the call could be sent to the policy provider.\n\n**unavailable**: also if a policy provider that was reached gives no answer in time, loses the connection or answers with status 5xx. A client that can make the policy provider slow or fail can then get its requests past the policy.\n\nEmpty: unreachable.",
            },
          },
          {
            error_status = {
              type = "integer",
              between = { 400, 599 },
              not_one_of = { 444, 499 },
              default = 502,
              description = "HTTP status for the client when ping-auth gets no decision from the policy provider (where the documentation says 502).\n\nFrom 400 to 599, but not 444 or 499; empty: 502.",
            },
          },
          {
            mcp = {
              type = "boolean",
              default = false,
              description = "Whether the route leads to an MCP server (Model Context Protocol over HTTP).\n\nping-auth then reads messages strictly, always shows the policy `mcp-method` and `mcp-name`, shows event streams as JSON, and turns denials into JSON-RPC errors.",
            },
          },
          {
            mcp_denials = {
              type = "string",
              one_of = { "json_rpc", "http" },
              default = "json_rpc",
              description = "What a client gets when the policy denies an MCP message.\n\n**json_rpc**: a JSON-RPC error that an agent understands, except where clients need the HTTP response (401, `WWW-Authenticate`, redirects).\n\n**http**: the response of the policy.\n\nEmpty: json_rpc.",
            },
          },
          {
            mcp_allowed_origins = {
              type = "array",
              elements = {
                type = "string",
                match_all = {
                  {
                    pattern = "^%a[%w+.-]*://[^/%s@?#]+$",
                    err = "must be scheme://host or scheme://host:port, nothing more",
                  },
                },
              },
              len_max = 100,
              default = {},
              description = "Origins of web pages that may call the MCP server, such as `https://app.example.com`; `*` in the host's first label stands for any text without a dot.\n\nA request with another Origin header gets 403 before the policy is asked.\n\nEmpty: the policy decides about such requests as about all others.",
            },
          },
          {
            mcp_max_ttl_ms = {
              type = "integer",
              between = { 0, 86400000 },
              description = "Longest time in milliseconds for which a client may cache a list or resource of the MCP server (`ttlMs` in the result).\n\n0: not at all. Empty: as long as the server says.\n\nIn any case, no result is cached for anybody but the caller.\n\nFrom 0 to 86400000 (24 hours).",
            },
          },
          {
            mcp_resource_metadata_url = {
              type = "string",
              match_all = {
                {
                  pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]",
                  err = "must start with https:// and a host name",
                },
              },
              match_none = {
                { pattern = "[%s%c\"\\\\]", err = "must not contain spaces, quotes or backslashes" },
              },
              description = "URL of the protected resource metadata (RFC 9728) of the MCP server. ping-auth adds it to the `WWW-Authenticate: Bearer` of a 401 or 403 that does not name one, so that clients find the authorization server.",
            },
          },
          {
            send_request_body = {
              type = "boolean",
              default = true,
              description = "Whether ping-auth shows request bodies to the policy provider. A body that is not shown still reaches the upstream, unless the policy sets another.",
            },
          },
          {
            send_response_body = {
              type = "boolean",
              default = true,
              description = "Whether ping-auth shows response bodies to the policy provider. A body that is not shown still reaches the client, unless the policy sets another.",
            },
          },
          {
            max_request_body_bytes = {
              type = "integer",
              between = { 1, 104857600 },
              default = 8388608,
              description = "Largest request body, in bytes, that ping-auth shows to the policy provider.\n\nFrom 1 to 104857600 (100 MiB); empty: 8388608 (8 MiB).",
            },
          },
          {
            max_response_body_bytes = {
              type = "integer",
              between = { 1, 104857600 },
              default = 8388608,
              description = "Largest response body, in bytes, that ping-auth shows to the policy provider.\n\nFrom 1 to 104857600 (100 MiB); empty: 8388608 (8 MiB).",
            },
          },
          {
            request_body_over_limit = {
              type = "string",
              one_of = { "reject", "omit" },
              default = "reject",
              description = "What happens to a request whose body is over `max_request_body_bytes`.\n\n**reject**: the client gets 413, the policy is not asked.\n\n**omit**: the policy decides without seeing the body.\n\nEmpty: reject.",
            },
          },
          {
            response_body_over_limit = {
              type = "string",
              one_of = { "reject", "omit" },
              default = "reject",
              description = "What happens to a response whose body is over `max_response_body_bytes`.\n\n**reject**: ping-auth withholds it, the client gets 502.\n\n**omit**: the policy decides without seeing the body.\n\nEmpty: reject.",
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
              description = "Media types of the bodies that ping-auth shows to the policy provider, such as `application/json`, `text/*` or `*+json`. What happens to other bodies is set by `opaque_bodies`.\n\nEmpty: every type.",
            },
          },
          {
            opaque_bodies = {
              type = "string",
              one_of = { "omit", "reject", "allow_unreadable" },
              default = "omit",
              description = "What happens to a body that is not text, or not in `body_content_types`.\n\n**omit**: the policy decides without it.\n\n**reject**: the client gets 415 for a request, 502 for a response.\n\n**allow_unreadable**: as omit, also for text that ping-auth cannot decode (content encoding or charset). The other two refuse such text. A client can then hide a body from the policy.\n\nEmpty: omit.",
            },
          },
          {
            encoded_request_bodies = {
              type = "string",
              one_of = { "decode", "forward", "reject" },
              default = "decode",
              description = "How ping-auth forwards a request body with Content-Encoding once the policy was shown its text.\n\n**decode**: decoded, so that the upstream reads what the policy read.\n\n**forward**: as the client sent it. An upstream that ignores Content-Encoding then reads something else. On MCP routes this means decode.\n\n**reject**: the client gets 415.\n\nA body that is not shown stays as it is.\n\nEmpty: decode.",
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
              description = "Names of request headers that ping-auth does not show to the policy provider. They reach the upstream as the client sent them.",
            },
          },
          {
            max_request_context_bytes = {
              type = "integer",
              between = { 16384, 67108864 },
              default = 1048576,
              description = "Largest request context in bytes. Kong keeps it between the phases of a request: the state that the policy returned, or without one everything that the policy was shown of the request.\n\nping-auth refuses a request with a larger one with 413.\n\nFrom 16384 (16 KiB) to 67108864 (64 MiB); empty: 1048576 (1 MiB).",
            },
          },
          {
            max_sideband_response_bytes = {
              type = "integer",
              between = { 1024, 268435456 },
              default = 33554432,
              description = "Largest answer of the policy provider in bytes; ping-auth refuses a larger one with 502.\n\nAn answer holds the whole message and the state, so allow for more than twice the largest body.\n\nFrom 1024 (1 KiB) to 268435456 (256 MiB); empty: 33554432 (32 MiB).",
            },
          },
          {
            allow_http2 = {
              type = "boolean",
              default = false,
              description = "Whether ping-auth serves HTTP/2 clients.\n\nNeeds Kong 3.9 or later: older versions skip the response phase for HTTP/2, so responses would pass unfiltered.",
            },
          },
          {
            allow_upgrade = {
              type = "boolean",
              default = false,
              description = "Whether a protocol upgrade such as WebSocket passes once the request is allowed.\n\nKong skips the response phase for a request that asks for a WebSocket: whatever the upstream answers, also a plain 200, goes out unfiltered.",
            },
          },
          {
            shadow_service_url = {
              type = "string",
              match_all = {
                {
                  pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]",
                  err = "must start with https:// (or http://) and a host name",
                },
              },
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
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
              referenceable = true,
              description = "Base URL of a shadow policy provider, written like `service_url`. ping-auth asks it about live traffic after the decision, compares both decisions and logs what differs. It can change nothing.\n\nNeeds `shadow_shared_secret`. Empty: no shadow.\n\nCan be a vault reference: `{vault://env/ping-auth-shadow-url}` is the environment variable `PING_AUTH_SHADOW_URL` of Kong.",
            },
          },
          {
            shadow_shared_secret = {
              type = "string",
              encrypted = true,
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                { pattern = "%c", err = "must not contain line breaks or other control characters" },
                { pattern = "^%s", err = "must not start with a space" },
                { pattern = "%s$", err = "must not end with a space" },
                {
                  pattern = "<[Cc]lient[ _-]?[Nn]ame>",
                  err = "still contains the placeholder <client name>; replace it with the name from the policy provider",
                },
              },
              referenceable = true,
              description = "Secret that authenticates this gateway to the shadow policy provider, in the header `secret_header_name`. Needs `shadow_service_url`.\n\nCan be a vault reference: `{vault://env/ping-auth-shadow-secret}` is the environment variable `PING_AUTH_SHADOW_SECRET` of Kong.",
            },
          },
          {
            shadow_ca_certificate = {
              type = "string",
              match_all = {
                {
                  pattern = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-",
                  err = "must be PEM text with -----BEGIN CERTIFICATE-----",
                },
              },
              referenceable = true,
              match_none = {
                {
                  pattern = "^[%s{\"']*{%s*vault:",
                  err = "is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }",
                },
                {
                  pattern = "^[%s\"']*vault://",
                  err = "is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }",
                },
              },
              description = "PEM text of the certificates that ping-auth trusts for the shadow policy provider, like `ca_certificate`.\n\nEmpty: `ca_certificate`.\n\nCan be a vault reference: `{vault://env/ping-auth-shadow-ca}` is the environment variable `PING_AUTH_SHADOW_CA` of Kong.",
            },
          },
          {
            shadow_percent = {
              type = "integer",
              between = { 0, 100 },
              default = 100,
              description = "Percentage of requests about which ping-auth asks the shadow policy provider. ping-auth chooses them at random.\n\nFrom 0 to 100; empty: 100.",
            },
          },
          {
            shadow_ignored_headers = {
              type = "array",
              elements = {
                type = "string",
                match_all = { { pattern = "^[%w!#$%%&'*+.^_`|~-]+$", err = "must be a header name" } },
              },
              len_max = 100,
              default = {},
              description = "Headers whose differences do not count in the comparison with the shadow policy provider, such as a header with a timestamp.",
            },
          },
        },
        entity_checks = {
          { mutually_required = { "client_certificate", "client_key" } },
          { mutually_required = { "shadow_service_url", "shadow_shared_secret" } },
        },
      },
    },
  },
}
