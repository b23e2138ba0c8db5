import type { Route } from '../config/entities.js';
import { escapePath } from '../http/uri.js';

export interface UpstreamPath {
  readonly path: string;
  /** Sent as X-Forwarded-Prefix. */
  readonly prefix: string | undefined;
}

/** The path that goes to the upstream: the service's path, and behind it what strip_path leaves of the request's. */
export function upstreamPath(route: Route, requestPath: string, matched: string | undefined): UpstreamPath {
  const base = (route.service.path ?? '/').replace(/\/$/, '');
  if (!route.stripPath || matched === undefined) {
    const rest = base !== '' && requestPath === '/' && !route.service.path?.endsWith('/') ? '' : requestPath;
    return { path: escapePath(base + rest), prefix: undefined };
  }
  const rest = requestPath.slice(matched.length);
  const tail = rest === '' && base !== '' ? '' : rest.startsWith('/') ? rest : `/${rest}`;
  const prefix = matched.length > 1 ? matched.replace(/\/$/, '') : undefined;
  return { path: escapePath(base + tail), prefix };
}
