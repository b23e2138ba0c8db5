import type { PluginConfig } from '../../../config/schema.js';
import { type Finding, warning } from '../finding.js';

/** What a configuration of a route to an MCP server should have, and what is of no use without `mcp`. */
export function mcpRecommendations(config: PluginConfig): Finding[] {
  if (config.mcp) {
    if (config.mcp_allowed_origins.length > 0) return [];
    const text =
      'mcp_allowed_origins: is empty, so any web page may call the MCP server if the policy lets it';
    return [
      warning(
        'configuration',
        text,
        'Kong: list the origins of your own web clients, or of one that you trust.',
      ),
    ];
  }
  const unused = [
    config.mcp_allowed_origins.length > 0 && 'mcp_allowed_origins',
    config.mcp_max_ttl_ms !== undefined && 'mcp_max_ttl_ms',
    config.mcp_resource_metadata_url !== undefined && 'mcp_resource_metadata_url',
  ].filter((name) => name !== false);
  return unused.map((name) =>
    warning('configuration', `${name}: has no effect without mcp: true`, 'Kong: set mcp: true.'),
  );
}
