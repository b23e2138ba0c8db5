import type { Entities, PluginConfig, Route } from '../config/entities.js';
import type { Settings } from '../config/kong-conf.js';
import { bareExitPage, bareNginxPage, errorPage, kongError, type MadeUpAnswer } from '../error-pages.js';
import { BrokenBody } from '../http/chunked.js';
import type { HeadRefused } from '../http/request-head.js';
import { kongPath } from '../http/uri.js';
import type { KongLog } from '../kong-log.js';
import { ReadTimeout } from '../net/byte-reader.js';
import { type ReceivedRequest, RequestContext } from '../request-context.js';
import { Router } from '../router.js';
import type { LoadedPlugin } from '../rpc/instances.js';
import type { PluginInfo } from '../rpc/plugin-client.js';
import { UpstreamClient, type UpstreamExchange } from '../upstream/upstream-client.js';
import { UpstreamError } from '../upstream/upstream-error.js';
import { upstreamPath } from '../upstream/upstream-path.js';
import { type BuiltInPlugin, builtInPlugin } from './built-in-plugins.js';
import type { ClientSide } from './client-side.js';
import { ExitSignal, PdkError, type PluginRunner, PluginServerDown } from './plugin-runner.js';
import { proxy } from './proxy.js';
import { clientHeaders, type Origin } from './response-headers.js';

const SERVER_NAME = 'kong';

/** Upstream headers that nginx keeps to itself. */
const HIDDEN = /^(x-accel-.*|x-pad)$/i;

/** A plugin entry ready to run: by its plugin server or, for Kong's own ones, here. */
export type RunnablePlugin =
  | { readonly kind: 'external'; readonly loaded: LoadedPlugin }
  | { readonly kind: 'built-in'; readonly plugin: BuiltInPlugin };

/** A plugin is configured that neither a plugin server nor the stand-in has. */
export class UnknownPluginError extends Error {
  override readonly name = 'UnknownPluginError';
}

/** Takes requests through Kong's phases. */
export class Gateway {
  #router = new Router([]);
  #plugins: readonly { readonly config: PluginConfig; readonly run: RunnablePlugin }[] = [];
  #sequence = 0;
  readonly #upstreams: UpstreamClient;

  constructor(
    readonly settings: Settings,
    readonly log: KongLog,
    private readonly plugins: readonly PluginInfo[],
    /** By worker, then by the plugin's name. */
    private readonly runners: readonly ReadonlyMap<string, PluginRunner>[],
    private readonly trusted: (address: string) => boolean,
  ) {
    this.#upstreams = new UpstreamClient(settings.upstreamHeadSize, settings.upstreamKeepAlive);
  }

  /** Takes a new configuration; every plugin gets a new sequence number. @throws UnknownPluginError */
  configure(entities: Entities): void {
    this.#plugins = entities.plugins
      .filter((plugin) => plugin.enabled)
      .map((plugin) => ({ config: plugin, run: this.#load(plugin) }));
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
        this.log.write(
          'alert',
          `the stand-in failed: ${error instanceof Error ? error.stack : error}`,
          ctx.id,
        );
        await this.#answer(ctx, client, errorPage(500, ctx.id, accept(ctx)), 'kong', true);
      }
    } finally {
      for (const action of ctx.afterwards) action();
      await ctx.received.body.cleanUp();
    }
  }

  /** nginx turned the request away while reading it. */
  async refuse(ctx: RequestContext, client: ClientSide, refusal: HeadRefused): Promise<void> {
    const page =
      refusal.page === 'nginx'
        ? bareNginxPage(refusal.status)
        : errorPage(refusal.page === 'header_too_large' ? 494 : refusal.status, ctx.id, accept(ctx));
    await this.#answer(ctx, client, page, 'kong', true);
  }

  destroy(): void {
    this.#upstreams.destroy();
  }

  #load(plugin: PluginConfig): RunnablePlugin {
    const info = this.plugins.find((known) => known.name === plugin.name);
    if (info !== undefined) {
      return { kind: 'external', loaded: { plugin, info, sequence: ++this.#sequence } };
    }
    const builtIn = builtInPlugin(plugin);
    if (builtIn === undefined) {
      throw new UnknownPluginError(
        `plugin "${plugin.name}" is neither served by a plugin server nor built in`,
      );
    }
    return { kind: 'built-in', plugin: builtIn };
  }

  /** The most specific configuration of each plugin, the highest priority first. */
  #pluginsFor(route: Route): RunnablePlugin[] {
    const chosen = new Map<string, { config: PluginConfig; run: RunnablePlugin }>();
    const rank = ({ routeId, serviceId }: PluginConfig): number =>
      (routeId === undefined ? 0 : 2) + (serviceId === undefined ? 0 : 1);
    for (const plugin of this.#plugins) {
      const { routeId, serviceId, name } = plugin.config;
      if (routeId !== undefined && routeId !== route.id) continue;
      if (serviceId !== undefined && serviceId !== route.service.id) continue;
      const known = chosen.get(name);
      if (known === undefined || rank(plugin.config) > rank(known.config)) chosen.set(name, plugin);
    }
    const priority = (plugin: RunnablePlugin): number =>
      plugin.kind === 'external' ? plugin.loaded.info.priority : plugin.plugin.priority;
    return [...chosen.values()].map(({ run }) => run).sort((a, b) => priority(b) - priority(a));
  }

  async #handle(ctx: RequestContext, client: ClientSide): Promise<void> {
    const path = kongPath(ctx.received.rawPath);
    const match = this.#router.find({ host: ctx.headers.get('host'), path, method: ctx.method });
    if (match === undefined) {
      const page = kongError(404, ctx.id, accept(ctx), 'no Route matched with those values');
      return this.#answer(ctx, client, page, 'kong');
    }
    const { route, matchedPath } = match;
    ctx.route = route;
    if (!route.protocols.includes(ctx.scheme)) {
      const page = kongError(426, ctx.id, accept(ctx), 'Please use HTTPS protocol');
      page.headers.add('Upgrade', 'TLS/1.2, HTTP/1.1');
      return this.#answer(ctx, client, page, 'kong');
    }
    const { service } = route;
    const target = upstreamPath(route, path, matchedPath);
    ctx.upstream = {
      path: target.path,
      args: ctx.received.args,
      hostHeader: route.preserveHost ? (ctx.headers.get('host') ?? '') : '',
      scheme: service.protocol,
      host: service.host,
      port: service.port,
      retargeted: false,
    };
    const plugins = this.#pluginsFor(route);
    const buffered =
      ctx.received.upgrade === undefined &&
      plugins.some((plugin) => plugin.kind === 'external' && plugin.loaded.info.phases.includes('response'));
    if (!(await this.#access(ctx, client, plugins))) return;

    let exchange: UpstreamExchange;
    try {
      client.continue100();
      const options = { buffered, prefix: target.prefix };
      exchange = await proxy(ctx, ctx.upstream, service, this.#upstreams, this.log, options);
    } catch (error) {
      if (error instanceof BrokenBody) {
        const status = error.reason === 'cut' ? undefined : 400;
        if (status === undefined) return client.drop();
        return this.#answer(
          ctx,
          client,
          errorPage(status, ctx.id, accept(ctx)),
          'upstream_error',
          true,
          plugins,
        );
      }
      if (!(error instanceof UpstreamError)) throw error;
      return this.#upstreamFailed(ctx, client, plugins, error, buffered);
    }
    ctx.upstreamResponse = exchange.response;
    if (buffered) await this.#buffered(ctx, client, plugins, exchange);
    else await this.#streamed(ctx, client, plugins, exchange);
  }

  /** False when the request was answered here. */
  async #access(
    ctx: RequestContext,
    client: ClientSide,
    plugins: readonly RunnablePlugin[],
  ): Promise<boolean> {
    try {
      for (const plugin of plugins) {
        if (plugin.kind === 'built-in') plugin.plugin.access(ctx);
        else if (plugin.loaded.info.phases.includes('access'))
          await this.#runner(ctx, plugin.loaded).run(plugin.loaded, ctx, 'access');
      }
      return true;
    } catch (error) {
      if (error instanceof ExitSignal) await this.#exit(ctx, client, plugins, error, 'kong');
      else if (error instanceof PdkError || error instanceof PluginServerDown) {
        this.log.write('error', error.message, ctx.id);
        ctx.source = 'error';
        if (error instanceof PdkError && error.message === 'failed to set header') {
          await this.#answer(ctx, client, errorPage(500, ctx.id, accept(ctx)), 'kong', true, plugins);
        } else {
          await this.#answer(ctx, client, kongError(500, ctx.id, accept(ctx)), 'kong', false, plugins);
        }
      } else throw error;
      return false;
    }
  }

  async #streamed(
    ctx: RequestContext,
    client: ClientSide,
    plugins: readonly RunnablePlugin[],
    exchange: UpstreamExchange,
  ): Promise<void> {
    const { response } = exchange;
    const hop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer']);
    if (response.status === 101) hop.delete('upgrade');
    for (const line of response.headers) {
      if (line.name.toLowerCase() !== 'connection') continue;
      for (const token of line.value.split(',')) hop.add(token.trim().toLowerCase());
    }
    if (response.status === 101) hop.delete('upgrade');
    const early = ctx.response.headers.lines.splice(0);
    for (const { name, value } of response.headers) {
      if (!hop.has(name.toLowerCase()) && !HIDDEN.test(name)) ctx.response.headers.add(name, value);
    }
    for (const { name, value } of early) ctx.response.headers.add(name, value);
    ctx.response.status = response.status;
    if (!this.#headerFilter(ctx, plugins)) {
      exchange.socket.destroy();
      return this.#send(ctx, client, 'streamed', ctx.bufferedBody ?? Buffer.alloc(0), undefined);
    }
    if (response.status === 101) {
      const headers = clientHeaders(ctx, 'streamed', 101);
      const head = { status: 101, statusText: response.statusText, headers, body: Buffer.alloc(0) };
      return client.tunnel({ ...head, headOnly: false, close: false }, exchange.socket, exchange.reader);
    }
    await this.#send(ctx, client, 'streamed', response.body, response.statusText);
  }

  async #buffered(
    ctx: RequestContext,
    client: ClientSide,
    plugins: readonly RunnablePlugin[],
    exchange: UpstreamExchange,
  ): Promise<void> {
    const { response } = exchange;
    // nginx's subrequest takes an interim answer for the whole one and never finishes.
    if (response.status >= 100 && response.status < 200 && ctx.method !== 'HEAD') return client.hang();
    const parts: Buffer[] = [];
    try {
      for await (const part of response.body) parts.push(part);
    } catch (error) {
      if (!(error instanceof BrokenBody || error instanceof ReadTimeout)) throw error;
      this.log.write('error', `upstream prematurely closed connection while reading upstream`, ctx.id);
      return this.#answer(
        ctx,
        client,
        errorPage(response.status, ctx.id, accept(ctx)),
        'upstream_error',
        false,
        plugins,
      );
    }
    const status = response.statusText === undefined ? 200 : response.status;
    if (status > 599) {
      this.log.write('error', 'code must be a number between 100 and 599', ctx.id);
      return this.#answer(ctx, client, errorPage(500, ctx.id, accept(ctx)), 'upstream_error', true, plugins);
    }
    ctx.bufferedBody = Buffer.concat(parts);
    ctx.response.status = status;
    ctx.upstreamResponse = { ...response, status };
    takeBuffered(ctx);
    await this.#responsePhase(ctx, client, plugins, response.status === 204);
  }

  async #responsePhase(
    ctx: RequestContext,
    client: ClientSide,
    plugins: readonly RunnablePlugin[],
    upstreamHadNoContent: boolean,
  ): Promise<void> {
    try {
      for (const plugin of plugins) {
        if (plugin.kind === 'external' && plugin.loaded.info.phases.includes('response')) {
          await this.#runner(ctx, plugin.loaded).run(plugin.loaded, ctx, 'response');
        }
      }
    } catch (error) {
      if (error instanceof ExitSignal) return this.#exit(ctx, client, plugins, error, 'buffered');
      if (error instanceof PluginServerDown) {
        ctx.source = 'error';
        return this.#answer(ctx, client, kongError(500, ctx.id, accept(ctx)), 'buffered', false, plugins);
      }
      if (!(error instanceof PdkError)) throw error;
      this.log.write('error', `lua entry thread aborted: runtime error: ${error.message}`, ctx.id);
      ctx.source = 'error';
      return this.#answer(ctx, client, errorPage(500, ctx.id, accept(ctx)), 'buffered', true, plugins);
    }
    // Recorded: a 204 that is given another status never reaches the client.
    if (upstreamHadNoContent && ctx.response.status !== 204) return client.hang();
    this.#headerFilter(ctx, plugins);
    await this.#send(ctx, client, 'buffered', ctx.bufferedBody ?? Buffer.alloc(0), undefined);
  }

  async #upstreamFailed(
    ctx: RequestContext,
    client: ClientSide,
    plugins: readonly RunnablePlugin[],
    error: UpstreamError,
    buffered: boolean,
  ): Promise<void> {
    if (error.status === 503) {
      const page = kongError(503, ctx.id, accept(ctx), 'name resolution failed');
      return this.#answer(ctx, client, page, 'kong', false, plugins);
    }
    if (buffered && ctx.method === 'HEAD' && error.status !== 500) {
      // A HEAD has no error page to write, so Kong goes on as if the upstream had said this.
      ctx.response.status = error.status;
      ctx.upstreamResponse = { status: error.status, statusText: '', headers: [], body: emptyBody() };
      return this.#responsePhase(ctx, client, plugins, false);
    }
    const page = errorPage(error.status, ctx.id, accept(ctx));
    await this.#answer(ctx, client, page, 'upstream_error', error.status === 500 && !buffered, plugins);
  }

  async #exit(
    ctx: RequestContext,
    client: ClientSide,
    plugins: readonly RunnablePlugin[],
    exit: ExitSignal,
    origin: Origin,
  ): Promise<void> {
    if (exit.status < 200) return client.hang();
    if (exit.status === 444 || exit.status === 499) return client.drop();
    ctx.source = 'exit';
    if (exit.bare) {
      const page = bareExitPage(exit.status, ctx.id, accept(ctx));
      if (exit.status === 204 || exit.status === 304 || page.html) dropEntityHeaders(ctx);
      return this.#answer(ctx, client, page, origin, exit.status === 500, plugins);
    }
    ctx.response.status = exit.status;
    ctx.bufferedBody = exit.body;
    this.#headerFilter(ctx, plugins);
    await this.#send(ctx, client, origin, ctx.bufferedBody, undefined);
  }

  /** An answer of Kong's own. Headers that are there already stay, save those the answer brings. */
  async #answer(
    ctx: RequestContext,
    client: ClientSide,
    page: MadeUpAnswer,
    origin: Origin,
    close = false,
    plugins: readonly RunnablePlugin[] = [],
  ): Promise<void> {
    ctx.response.status = page.status;
    if (ctx.source === 'service') ctx.source = 'error';
    for (const { name, value } of page.headers.lines) ctx.response.headers.set(name, [value], true);
    ctx.bufferedBody = page.body;
    this.#headerFilter(ctx, plugins);
    await this.#send(ctx, client, origin, ctx.bufferedBody, undefined, close);
  }

  /** Kong's own plugins see every answer before it goes out. False when one of them replaced it. */
  #headerFilter(ctx: RequestContext, plugins: readonly RunnablePlugin[]): boolean {
    ctx.phase = 'header_filter';
    let untouched = true;
    for (const plugin of plugins) {
      if (plugin.kind === 'built-in' && !plugin.plugin.headerFilter(ctx)) untouched = false;
    }
    return untouched;
  }

  async #send(
    ctx: RequestContext,
    client: ClientSide,
    origin: Origin,
    body: Buffer | AsyncIterable<Buffer>,
    statusText: string | undefined,
    close = false,
  ): Promise<void> {
    client.continue100();
    const { status } = ctx.response;
    const headers = clientHeaders(ctx, origin, status);
    await client.send({ status, statusText, headers, body, headOnly: ctx.method === 'HEAD', close });
  }

  #runner(ctx: RequestContext, loaded: LoadedPlugin): PluginRunner {
    const runner = this.runners[ctx.connection.worker]?.get(loaded.plugin.name);
    if (runner === undefined) throw new Error(`no plugin server for ${loaded.plugin.name}`);
    return runner;
  }
}

function accept(ctx: RequestContext): string | undefined {
  return ctx.received.headers.get('accept');
}

/** nginx's own page, and an answer without a body, take the place of the entity that these describe. */
function dropEntityHeaders(ctx: RequestContext): void {
  for (const name of ['content-type', 'content-length', 'etag', 'last-modified', 'accept-ranges']) {
    ctx.response.headers.remove(name);
  }
}

async function* emptyBody(): AsyncGenerator<Buffer> {}

/** Headers that keep all their values; of every other repeated one only the last is left. */
const MULTIPLE = new Set(['set-cookie', 'link', 'vary', 'cache-control']);

/** What buffering makes of the upstream's headers: a Lua table, set one by one with `ngx.header`. */
function takeBuffered(ctx: RequestContext): void {
  const { headers } = ctx.response;
  for (const { name, value } of ctx.upstreamResponse?.headers ?? []) {
    const key = name.replaceAll('_', '-');
    const lower = key.toLowerCase();
    if (['connection', 'keep-alive', 'transfer-encoding'].includes(lower) || HIDDEN.test(lower)) continue;
    const text = value === '' ? ' ' : value;
    if (MULTIPLE.has(lower)) headers.add(key, text);
    else headers.set(key, [text]);
  }
}
