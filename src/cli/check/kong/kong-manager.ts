// Kong Manager builds its page "New plugin" from `GET /` of the Admin API. Kong 3.8 and 3.9 cannot answer that call in a worker that
// started a plugin server: they keep the handle of the process among the settings, and it cannot be written as JSON.
import { type Finding, ok, warning } from '../finding.js';
import type { KongFacts } from './kong-facts.js';

/** The line for kong.conf that hides the handle from the JSON. Kong's timer still finds it, so a killed server is started again. */
export const ADMIN_LINE = `nginx_admin_access_by_lua = 'for _, s in ipairs(kong.configuration.pluginservers or {}) do local p = rawget(s, "proc") if p then setmetatable(s, { __index = { proc = p } }) s.proc = nil end end'`;

export function kongManagerFindings({ root, version, servers, routes }: KongFacts, name: string): Finding[] {
  if (root === 'fails') {
    return [
      warning(
        'manager',
        'GET / of the Admin API answers 500, so Kong Manager lists no plugins: "New plugin" shows "An unexpected error occurred" (a fault of Kong 3.8 and 3.9 while Kong starts a plugin server)',
        remedy(name, routes[0]?.id),
      ),
    ];
  }
  const isAffected = /^3\.[89](\.|$)/.test(version) && servers?.some((one) => one.startCommand !== undefined);
  if (!isAffected) return [];
  if (root === 'has the line')
    return [ok('manager', 'Kong Manager can list plugins: kong.conf has the line for it')];
  return [
    warning(
      'manager',
      'GET / of the Admin API answers 500 in the worker that starts the plugin server (this call met another one), so Kong Manager lists no plugins: "New plugin" shows "An unexpected error occurred"',
      remedy(name, routes[0]?.id),
    ),
  ];
}

function remedy(name: string, routeId: string | undefined): string {
  return `Kong: add this line to kong.conf and restart Kong: ${ADMIN_LINE}  Until then open the form itself in Kong Manager: /plugins/${name}/create?routeId=${routeId ?? '…'} (or ?serviceId=…). docs/kong-manager.md tells more.`;
}
