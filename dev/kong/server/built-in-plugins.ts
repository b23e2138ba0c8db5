import type { PluginConfig } from '../config/entities.js';
import type { RequestContext } from '../request-context.js';

/** One of Kong's own plugins, as far as the stand-in plays it. */
export interface BuiltInPlugin {
  readonly priority: number;
  /** @throws ExitSignal */
  access(ctx: RequestContext): void;
  /** False when it replaced the answer in `ctx.response` and `ctx.bufferedBody`. */
  headerFilter(ctx: RequestContext): boolean;
}

export function builtInPlugin(_plugin: PluginConfig): BuiltInPlugin | undefined {
  return undefined;
}
