import type { Service } from '../config/entities.js';
import type { KongLog } from '../kong-log.js';
import { isReachable } from '../pdk/service-request-methods.js';
import type { RequestContext, UpstreamTarget } from '../request-context.js';
import type { UpstreamClient, UpstreamExchange } from '../upstream/upstream-client.js';
import { UpstreamError } from '../upstream/upstream-error.js';
import { upstreamHead } from '../upstream/upstream-request.js';

export interface ProxyOptions {
  readonly buffered: boolean;
  readonly prefix: string | undefined;
}

/** Sends the request to the upstream, again up to the service's `retries` where that is safe. @throws UpstreamError */
export async function proxy(
  ctx: RequestContext,
  target: UpstreamTarget,
  service: Service,
  client: UpstreamClient,
  log: KongLog,
  options: ProxyOptions,
): Promise<UpstreamExchange> {
  if (!isReachable(target)) throw new UpstreamError(500, 'failed to set the current peer', true);
  const content =
    ctx.received.body.wasRead || hasBody(ctx) ? await ctx.received.body.read(ctx.contentLength) : undefined;
  const head = upstreamHead(ctx, target, options);
  const repeatable = !['POST', 'PATCH', 'LOCK'].includes(ctx.method);
  for (let attempt = 0; ; attempt++) {
    try {
      return await client.send(target, service, head, content, ctx.method);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      log.write('error', error.message, ctx.id);
      const again = error.beforeSending || repeatable;
      if (error.status === 503 || !again || attempt >= service.retries) throw error;
    }
  }
}

function hasBody(ctx: RequestContext): boolean {
  if (ctx.received.body.chunked) return true;
  return (ctx.contentLength ?? 0) > 0;
}
