import type { Route } from '../config/declarative-config.js';
import { escapePath } from '../http/uri.js';
import type { RequestContext } from '../request-context.js';

export interface RouteRequest {
  readonly host: string | undefined;
  readonly path: string;
  readonly method: string;
}

export interface Match {
  readonly route: Route;
  /** The path of the route that matched, cut off when strip_path is on. */
  readonly matchedPath: string | undefined;
}

/** Chooses a route by host (as it was written), path and method; more attributes, then the longer path, win. */
export class Router {
  constructor(private readonly routes: readonly Route[]) {}

  find(request: RouteRequest): Match | undefined {
    let best: (Match & { readonly score: readonly number[] }) | undefined;
    for (const route of this.routes) {
      const match = matchRoute(route, request);
      if (match !== undefined && (best === undefined || compare(match.score, best.score) > 0)) best = match;
    }
    return best;
  }
}

function matchRoute(
  route: Route,
  request: RouteRequest,
): (Match & { readonly score: readonly number[] }) | undefined {
  const attributes = [route.hosts, route.paths, route.methods].filter((list) => list.length > 0).length;
  const host = request.host?.replace(/:\d+$/, '');
  if (route.hosts.length > 0 && !route.hosts.some((wanted) => wanted === host)) return undefined;
  if (route.methods.length > 0 && !route.methods.includes(request.method)) return undefined;
  if (route.paths.length === 0) return { route, matchedPath: undefined, score: [attributes, 0] };
  const [longest] = route.paths
    .filter((path) => request.path.startsWith(path))
    .sort((a, b) => b.length - a.length);
  if (longest === undefined) return undefined;
  return { route, matchedPath: longest, score: [attributes, longest.length] };
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0;
    if (value !== other) return value - other;
  }
  return 0;
}

export interface UpstreamPath {
  readonly path: string;
  /** Sent as X-Forwarded-Prefix. */
  readonly prefix: string | undefined;
}

/** Where the matched route leads, written into the context. */
export function chooseUpstream(
  ctx: RequestContext,
  { route, matchedPath }: Match,
  path: string,
): UpstreamPath {
  const { service } = route;
  const target = upstreamPath(route, path, matchedPath);
  ctx.route = route;
  ctx.upstream = {
    path: target.path,
    args: ctx.received.args,
    hostHeader: route.preserveHost ? (ctx.headers.get('host') ?? '') : '',
    scheme: service.protocol,
    host: service.host,
    port: service.port,
    retargeted: false,
  };
  return target;
}

/** The path that goes to the upstream: the service's path, and behind it what strip_path leaves of the request's. */
function upstreamPath(route: Route, requestPath: string, matched: string | undefined): UpstreamPath {
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
