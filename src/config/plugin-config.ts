/**
 * The plugin's configuration as the code sees it, every default filled in. Names are Kong's (snake case): what an admin
 * writes is what a developer reads. The zod schema in schema.ts is the source; this type must follow from it.
 */
export interface PluginConfig {
  readonly service_url: string;
  readonly shared_secret: string;
  readonly secret_header_name: string;
  readonly connection_timeout_ms: number;
  readonly connection_keepAlive_ms: number;
  readonly verify_service_certificate: boolean;
  readonly enable_debug_logging: boolean;

  readonly ca_certificate?: string | undefined;
  readonly client_certificate?: string | undefined;
  readonly client_key?: string | undefined;
  readonly tls_server_name?: string | undefined;

  /** Overall deadline of one sideband call, failover included; unset: connection_timeout_ms, at most 50 s. */
  readonly call_timeout_ms?: number | undefined;
  readonly failover_service_urls: readonly string[];
  readonly failover_retry_ms: number;
  readonly circuit_failures: number;
  readonly circuit_open_ms: number;
  readonly connections: number;
  readonly max_queued_calls: number;

  readonly mode: 'enforce' | 'monitor';
  readonly fail_open_request: boolean;
  readonly fail_open_response: boolean;
  readonly error_status: number;

  readonly send_request_body: boolean;
  readonly send_response_body: boolean;
  readonly max_request_body_bytes: number;
  readonly max_response_body_bytes: number;
  readonly request_body_over_limit: 'reject' | 'omit';
  readonly response_body_over_limit: 'reject' | 'omit';
  /** Media types that go to the policy as text, `text/*` and `*+json` allowed; empty: every type. */
  readonly body_content_types: readonly string[];
  /** What to do with a body that cannot be shown as text (not UTF-8, encoded, another type). */
  readonly opaque_bodies: 'omit' | 'reject';
  readonly excluded_request_headers: readonly string[];
  readonly max_sideband_response_bytes: number;

  readonly allow_http2: boolean;
  readonly allow_upgrade: boolean;
}
