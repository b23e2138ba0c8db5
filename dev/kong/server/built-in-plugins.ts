import type { PluginConfig } from '../config/entities.js';
import type { RequestContext } from '../request-context.js';
import { pingAuthGuard } from './ping-auth-guard.js';

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
