import { bareExitPage, type MadeUpAnswer } from '../error-pages.js';
import type { ExitSignal } from '../pdk/pdk-error.js';
import type { RequestContext } from '../request-context.js';
import type { ClientSide } from './client-side.js';
import type { RunnablePlugin } from './plugin-chain.js';
import { clientHeaders, type Origin } from './response-headers.js';

/** One request on its way to an answer. */
export interface Turn {
  readonly ctx: RequestContext;
  readonly client: ClientSide;
  readonly plugins: readonly RunnablePlugin[];
}

/** What the client would like an error page to be. */
export function accept(ctx: RequestContext): string | undefined {
  return ctx.received.headers.get('accept');
}

/** Kong's own plugins see every answer before it goes out. False when one of them replaced it. */
export function headerFilter({ ctx, plugins }: Turn): boolean {
  ctx.phase = 'header_filter';
  let untouched = true;
  for (const plugin of plugins) {
    if (plugin.kind === 'built-in' && !plugin.plugin.headerFilter(ctx)) untouched = false;
  }
  return untouched;
}

/** Sends what is in `ctx.response`. */
export async function send(
  { ctx, client }: Turn,
  origin: Origin,
  body: Buffer | AsyncIterable<Buffer>,
  statusText?: string,
  close = false,
): Promise<void> {
  client.continue100();
  const { status } = ctx.response;
  const headers = clientHeaders(ctx, origin, status);
  await client.send({ status, statusText, headers, body, headOnly: ctx.method === 'HEAD', close });
}

/** An answer of Kong's own. Headers that are there already stay, save those the answer brings. */
export async function sendPage(turn: Turn, page: MadeUpAnswer, origin: Origin, close = false): Promise<void> {
  const { ctx } = turn;
  ctx.response.status = page.status;
  if (ctx.source === 'service') ctx.source = 'error';
  for (const { name, value } of page.headers.lines) ctx.response.headers.set(name, [value], true);
  ctx.bufferedBody = page.body;
  headerFilter(turn);
  await send(turn, origin, ctx.bufferedBody, undefined, close);
}

/** A plugin called `kong.response.exit`. */
export async function sendExit(turn: Turn, exit: ExitSignal, origin: Origin): Promise<void> {
  const { ctx, client } = turn;
  // Recorded: an interim status never becomes an answer, and two of nginx's own close the connection.
  if (exit.status < 200) {
    for (const action of ctx.afterwards.splice(0)) action();
    return client.hang();
  }
  if (exit.status === 444 || exit.status === 499) return client.drop();
  ctx.source = 'exit';
  if (exit.bare) {
    const page = bareExitPage(exit.status, ctx.id, accept(ctx));
    if (exit.status === 204 || exit.status === 304 || page.html === true) dropEntityHeaders(ctx);
    return sendPage(turn, page, origin, exit.status === 500);
  }
  ctx.response.status = exit.status;
  ctx.bufferedBody = exit.body;
  headerFilter(turn);
  await send(turn, origin, ctx.bufferedBody);
}

/** nginx's own page, and an answer without a body, take the place of the entity that these describe. */
function dropEntityHeaders(ctx: RequestContext): void {
  for (const name of ['content-type', 'content-length', 'etag', 'last-modified', 'accept-ranges']) {
    ctx.response.headers.remove(name);
  }
}
