import { BrokenBody, ReadTimeout } from '../http/byte-reader.js';
import { errorPage, kongError } from '../http/error-pages.js';
import type { KongLog } from '../kong-log.js';
import { ExitSignal, PdkError } from '../pdk/lua-values.js';
import type { RequestContext } from '../request-context.js';
import type { UpstreamError, UpstreamExchange } from '../upstream/upstream-client.js';
import { accept, clientHeaders, headerFilter, send, sendExit, sendPage, type Turn } from './answers.js';
import { type PluginChain, PluginServerDown } from './plugin-chain.js';

/** Upstream headers that nginx keeps to itself. */
const HIDDEN = /^(x-accel-.*|x-pad)$/i;

/** Brings the upstream's answer, or its failure, to the client: as it comes, or whole and through the response phase. */
export class UpstreamAnswers {
  constructor(
    private readonly chain: PluginChain,
    private readonly log: KongLog,
  ) {}

  async stream(turn: Turn, exchange: UpstreamExchange): Promise<void> {
    const { ctx, client } = turn;
    const { response } = exchange;
    takeStreamed(ctx);
    ctx.response.status = response.status;
    if (!headerFilter(turn)) {
      exchange.socket.destroy();
      return send(turn, 'streamed', ctx.bufferedBody ?? Buffer.alloc(0));
    }
    if (response.status === 101) {
      const headers = clientHeaders(ctx, 'streamed', 101);
      const head = { status: 101, statusText: response.statusText, headers, body: Buffer.alloc(0) };
      return client.tunnel({ ...head, headOnly: false, close: false }, exchange.socket, exchange.reader);
    }
    await send(turn, 'streamed', response.body, response.statusText);
  }

  async buffer(turn: Turn, { response }: UpstreamExchange): Promise<void> {
    const { ctx } = turn;
    const parts: Buffer[] = [];
    try {
      for await (const part of response.body) parts.push(part);
    } catch (error) {
      if (!(error instanceof BrokenBody || error instanceof ReadTimeout)) throw error;
      this.log.write('error', 'upstream prematurely closed connection while reading upstream', ctx.id);
      return sendPage(turn, errorPage(response.status, ctx.id, accept(ctx)), 'upstream_error');
    }
    // An answer without a head counts as a 200, and so does the status 000.
    const status = response.status || 200;
    if (response.headers.some(({ name }) => name.toLowerCase() === 'x-accel-redirect')) {
      return sendPage(turn, errorPage(500, ctx.id, accept(ctx)), 'upstream_error');
    }
    if (status > 599) {
      this.log.write('error', 'code must be a number between 100 and 599', ctx.id);
      return sendPage(turn, errorPage(500, ctx.id, accept(ctx)), 'upstream_error', true);
    }
    ctx.bufferedBody = Buffer.concat(parts);
    ctx.response.status = status;
    ctx.upstreamResponse = { ...response, status };
    takeBuffered(ctx);
    await this.#responsePhase(turn, response.status === 204);
  }

  /** The upstream could not be reached or gave no usable answer. */
  async failed(turn: Turn, error: UpstreamError, buffered: boolean): Promise<void> {
    const { ctx } = turn;
    if (error.status === 503) {
      return sendPage(turn, kongError(503, ctx.id, accept(ctx), 'name resolution failed'), 'kong');
    }
    if (buffered && ctx.method === 'HEAD' && error.status !== 500) {
      // A HEAD has no error page to write, so Kong continues as if the upstream had said this.
      ctx.response.status = error.status;
      ctx.upstreamResponse = { status: error.status, statusText: '', headers: [], body: nothing() };
      return this.#responsePhase(turn, false);
    }
    const page = errorPage(error.status, ctx.id, accept(ctx));
    await sendPage(turn, page, 'upstream_error', error.status === 500 && !buffered);
  }

  async #responsePhase(turn: Turn, upstreamHadNoContent: boolean): Promise<void> {
    const { ctx, client, plugins } = turn;
    try {
      await this.chain.run(plugins, ctx, 'response');
    } catch (error) {
      if (error instanceof ExitSignal) return sendExit(turn, error, 'buffered');
      if (error instanceof PluginServerDown) {
        // kong.response.error is an exit, and keeps the headers that are set: all of the upstream's.
        ctx.source = 'exit';
        return sendPage(turn, kongError(500, ctx.id, accept(ctx)), 'buffered');
      }
      if (!(error instanceof PdkError)) throw error;
      this.log.write('error', `lua entry thread aborted: runtime error: ${error.message}`, ctx.id);
      ctx.source = 'error';
      return sendPage(turn, errorPage(500, ctx.id, accept(ctx)), 'buffered', true);
    }
    // Recorded: a 204 that is given another status never reaches the client.
    if (upstreamHadNoContent && ctx.response.status !== 204) return client.hang();
    // nginx's subrequest takes an interim answer for the whole one, and cannot send it.
    const interim = ctx.method !== 'HEAD' && (ctx.upstreamResponse?.status ?? 200) < 200;
    if (interim) return ctx.received.keepAlive ? client.hang() : client.drop();
    headerFilter(turn);
    await send(turn, 'buffered', ctx.bufferedBody ?? Buffer.alloc(0));
  }
}

/** Hop-by-hop headers stay behind; what plugins set in access comes after the upstream's. */
function takeStreamed(ctx: RequestContext): void {
  const upstream = ctx.upstreamResponse?.headers ?? [];
  const hop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer']);
  for (const { name, value } of upstream) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const token of value.split(',')) hop.add(token.trim().toLowerCase());
  }
  if (ctx.upstreamResponse?.status === 101) hop.delete('upgrade');
  const early = ctx.response.headers.lines.splice(0);
  for (const { name, value } of upstream) {
    if (!hop.has(name.toLowerCase()) && !HIDDEN.test(name)) ctx.response.headers.add(name, value);
  }
  for (const { name, value } of early) ctx.response.headers.add(name, value);
}

/** Headers for which nginx keeps one slot when Lua sets them, and all lines when the upstream sends them. */
const LAST_ONLY = new Set([
  'content-encoding',
  'content-range',
  'accept-ranges',
  'www-authenticate',
  'e-tag',
]);

/** What buffering makes of the upstream's headers: a Lua table by the spelling, set one by one with `ngx.header`. */
function takeBuffered(ctx: RequestContext): void {
  const table = new Map<string, string[]>();
  for (const { name, value } of ctx.upstreamResponse?.headers ?? []) {
    const lower = name.replaceAll('_', '-').toLowerCase();
    if (['connection', 'keep-alive', 'transfer-encoding'].includes(lower) || HIDDEN.test(lower)) continue;
    table.set(name, [...(table.get(name) ?? []), value === '' ? ' ' : value]);
  }
  for (const [name, values] of table) {
    const key = name.replaceAll('_', '-');
    ctx.response.headers.set(key, LAST_ONLY.has(key.toLowerCase()) ? values.slice(-1) : values);
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}
