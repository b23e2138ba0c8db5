import type { PluginConfig } from '../config/declarative-config.js';
import { ExitSignal } from '../pdk/lua-values.js';
import { setResponseHeader } from '../pdk/response-methods.js';
import type { RequestContext } from '../request-context.js';

/** One of Kong's own plugins, as far as the stand-in plays it. */
export interface BuiltInPlugin {
  readonly priority: number;
  /** @throws ExitSignal */
  access(ctx: RequestContext): void;
  /** False when it replaced the answer in `ctx.response` and `ctx.bufferedBody`. */
  headerFilter(ctx: RequestContext): boolean;
}

/** Undefined for what the stand-in does not have. */
export function builtInPlugin(plugin: PluginConfig): BuiltInPlugin | undefined {
  return plugin.name === 'post-function' ? pingAuthGuard(plugin) : undefined;
}

/** The comments by which the texts of kong/guard/ are recognised; their Lua is not run but played. */
const ACCESS = '-- ping-auth guard: access';
const HEADER_FILTER = '-- ping-auth guard: header_filter';
const OWN_500 = '-- ping-auth guard: own 500';

const BODY = Buffer.from('{"message":"The service is unavailable"}');

/** What is left of the headers of Kong's own 500. */
const FRAMING = new Set(['connection', 'content-type', 'content-length', 'transfer-encoding']);

/** Kong's post-function plugin with one or both of ping-auth's guards in it; undefined for any other code. */
function pingAuthGuard(plugin: PluginConfig): BuiltInPlugin | undefined {
  const { access, header_filter: headerFilter } = plugin.config;
  const inAccess = holds(access, ACCESS);
  const inHeaderFilter = holds(headerFilter, HEADER_FILTER);
  const own500 = holds(headerFilter, OWN_500);
  if (!inAccess && !inHeaderFilter && !own500) return undefined;
  return {
    priority: -1000,
    access: (ctx) => {
      if (!inAccess || ctx.shared.has('ping_auth')) return;
      refuse(ctx);
      throw new ExitSignal(503, BODY);
    },
    headerFilter: (ctx) => {
      if (own500) stripOwn500(ctx);
      if (!inHeaderFilter || ctx.source !== 'service' || ctx.response.status === 101) return true;
      if (ctx.shared.has('ping_auth_response')) return true;
      ctx.response.headers.lines.splice(0);
      ctx.response.dateCleared = true;
      refuse(ctx);
      ctx.source = 'exit';
      ctx.response.status = 503;
      ctx.bufferedBody = BODY;
      return false;
    },
  };
}

function refuse(ctx: RequestContext): void {
  setResponseHeader(ctx, 'Content-Type', ['application/json; charset=utf-8']);
  setResponseHeader(ctx, 'Content-Length', [String(BODY.length)]);
}

/**
 * kong/guard/own-server.yml: a 500 that is neither the upstream's nor, by its mark, one that ping-auth meant loses all headers
 * that do not frame it.
 */
function stripOwn500(ctx: RequestContext): void {
  const { response, shared, source } = ctx;
  if (response.status !== 500 || source === 'service') return;
  if (!shared.has('ping_auth') || shared.get('ping_auth_exit') === '1') return;
  response.dateCleared = true;
  for (const name of response.headers.lines.map((line) => line.name)) {
    if (!FRAMING.has(name.toLowerCase())) response.headers.remove(name);
  }
}

function holds(code: unknown, mark: string): boolean {
  return Array.isArray(code) && code.some((text) => typeof text === 'string' && text.includes(mark));
}
