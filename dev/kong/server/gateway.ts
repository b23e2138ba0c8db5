import type { Entities } from '../config/declarative-config.js';
import type { Settings } from '../config/kong-conf.js';
import { BrokenBody, ReadTimeout } from '../http/byte-reader.js';
import { bareNginxPage, errorPage, kongError } from '../http/error-pages.js';
import type { HeadRefused } from '../http/message-head.js';
import { kongPath } from '../http/uri.js';
import type { KongLog } from '../kong-log.js';
import { ExitSignal, PdkError } from '../pdk/lua-values.js';
import { type ReceivedRequest, RequestContext } from '../request-context.js';
import { UpstreamClient, UpstreamError } from '../upstream/upstream-client.js';
import { proxy } from '../upstream/upstream-request.js';
import { accept, type ClientSide, sendExit, sendPage, type Turn } from './answers.js';
import { hasPhase, type PluginChain, PluginServerDown } from './plugin-chain.js';
import { chooseUpstream, type Match, Router, type UpstreamPath } from './router.js';
import { UpstreamAnswers } from './upstream-answers.js';

const SERVER_NAME = 'kong';

/** Takes requests through Kong's phases. */
export class Gateway {
  #router = new Router([]);
  readonly #upstreams: UpstreamClient;
  readonly #answers: UpstreamAnswers;

  constructor(
    readonly settings: Settings,
    readonly log: KongLog,
    private readonly chain: PluginChain,
    private readonly trusted: (address: string) => boolean,
  ) {
    this.#upstreams = new UpstreamClient(settings.upstreamHeadSize, settings.upstreamKeepAlive);
    this.#answers = new UpstreamAnswers(chain, log);
  }

  /** Takes a new configuration. @throws Error that says what is wrong */
  configure(entities: Entities): void {
    this.chain.configure(entities.plugins);
    this.#router = new Router(entities.routes);
  }

  context(received: ReceivedRequest): RequestContext {
    return new RequestContext(received, this.trusted, this.settings.variables, SERVER_NAME);
  }

  async handle(ctx: RequestContext, client: ClientSide): Promise<void> {
    try {
      await this.#handle(ctx, client);
    } catch (error) {
      // The body of a streamed answer broke off; the client has seen that already.
      if (error instanceof BrokenBody || error instanceof ReadTimeout) {
        this.log.write('error', `${error.message} while reading upstream`, ctx.id);
      } else {
        const what = error instanceof Error ? error.stack : String(error);
        this.log.write('alert', `the stand-in failed: ${what}`, ctx.id);
        await sendPage({ ctx, client, plugins: [] }, errorPage(500, ctx.id, accept(ctx)), 'kong', true);
      }
    } finally {
      for (const action of ctx.afterwards.splice(0)) action();
      await ctx.received.body.cleanUp();
    }
  }

  /** nginx turned the request away while reading it. */
  async refuse(ctx: RequestContext, client: ClientSide, errorResponse: HeadRefused): Promise<void> {
    const page =
      errorResponse.page === 'nginx'
        ? bareNginxPage(errorResponse.status)
        : errorPage(
            errorResponse.page === 'header_too_large' ? 494 : errorResponse.status,
            ctx.id,
            accept(ctx),
          );
    await sendPage({ ctx, client, plugins: [] }, page, 'kong', true);
  }

  destroy(): void {
    this.#upstreams.destroy();
  }

  async #handle(ctx: RequestContext, client: ClientSide): Promise<void> {
    const path = kongPath(ctx.received.rawPath);
    const match = this.#router.find({ host: ctx.routedHost, path, method: ctx.method });
    if (match === undefined) {
      const page = kongError(404, ctx.id, accept(ctx), 'no Route matched with those values');
      return sendPage({ ctx, client, plugins: [] }, page, 'kong');
    }
    const target = chooseUpstream(ctx, match, path);
    const turn: Turn = { ctx, client, plugins: this.chain.of(match.route) };
    if (await this.#access(turn)) await this.#proxy(turn, match, target);
  }

  /** False when the request was answered here. */
  async #access(turn: Turn): Promise<boolean> {
    const { ctx } = turn;
    try {
      await this.chain.run(turn.plugins, ctx, 'access');
      return true;
    } catch (error) {
      if (error instanceof ExitSignal) {
        await sendExit(turn, error, 'kong');
        return false;
      }
      if (!(error instanceof PdkError || error instanceof PluginServerDown)) throw error;
      this.log.write('error', error.message, ctx.id);
      // Kong writes the one with kong.response.error, which is an exit; the other is an error that was not caught.
      ctx.source = error instanceof PluginServerDown ? 'exit' : 'error';
      // This one comes up only when the exit is carried out, too late for Kong's own error handling.
      if (error.message === 'failed to set header') {
        await sendPage(turn, errorPage(500, ctx.id, accept(ctx)), 'kong', true);
      } else {
        await sendPage(turn, kongError(500, ctx.id, accept(ctx)), 'kong');
      }
      return false;
    }
  }

  async #proxy(turn: Turn, { route }: Match, { prefix }: UpstreamPath): Promise<void> {
    const { ctx, client, plugins } = turn;
    if (ctx.upstream === undefined) throw new Error('no upstream was chosen');
    const buffered =
      ctx.received.upgrade === undefined && plugins.some((plugin) => hasPhase(plugin, 'response'));
    try {
      client.continue100();
      const options = { buffered, prefix };
      const exchange = await proxy(ctx, ctx.upstream, route.service, this.#upstreams, this.log, options);
      ctx.upstreamResponse = exchange.response;
      if (buffered) await this.#answers.buffer(turn, exchange);
      else await this.#answers.stream(turn, exchange);
    } catch (error) {
      if (error instanceof UpstreamError) return this.#answers.failed(turn, error, buffered);
      // The client's body: broken off, or chunks that are none.
      if (error instanceof BrokenBody && ctx.upstreamResponse === undefined) {
        if (error.reason === 'cut') return client.drop();
        return sendPage(turn, errorPage(400, ctx.id, accept(ctx)), 'upstream_error', true);
      }
      throw error;
    }
  }
}
