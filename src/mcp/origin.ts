import type { HeaderList } from '../http/headers.js';
import { McpError } from './message.js';

/** Whether the Origin of a request is one of the admin's; made once for a configuration. */
export type OriginCheck = (headers: HeaderList) => void;

/**
 * Against DNS rebinding: a page that made a browser take the gateway's address for its own site's still sends its own Origin.
 * Requests without an Origin come from no page.
 *
 * @param allowed origins in lower case, `*` in the first label of a host standing for any text without a dot; none: all pass
 * @returns a function that throws McpError `mcp_origin_not_allowed`
 */
export function originCheck(allowed: readonly string[]): OriginCheck {
  const exact = new Set(allowed);
  const patterns = allowed.filter((origin) => origin.includes('*')).map(pattern);
  return (headers) => {
    if (exact.size === 0) return;
    const origins = headers.getAll('origin');
    if (origins.length === 0) return;
    const origin = (origins[0] ?? '').toLowerCase();
    const isKnown = origins.length === 1 && !origin.includes('*');
    if (isKnown && (exact.has(origin) || patterns.some((one) => one.test(origin)))) return;
    throw new McpError('mcp_origin_not_allowed', -32600, 'mcp_allowed_origins does not list it');
  };
}

function pattern(origin: string): RegExp {
  const escaped = origin.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replace('\\*', '[a-z0-9-]+');
  return new RegExp(`^${escaped}$`);
}
