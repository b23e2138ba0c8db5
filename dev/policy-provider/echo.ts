import { createServer as createPlain, type RequestListener } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { startProcess } from '../child-process.js';
import type { Closing } from '../closing.js';
import { listen } from '../listen.js';

/** Answers that are ready, by the path of the sideband call: `/denied/sideband/request`. */
export type ReadyAnswers = Readonly<Record<string, object>>;

export interface EchoOptions {
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly answers?: ReadyAnswers;
  readonly onCall?: (target: string, payload: Buffer) => void;
}

export interface EchoProvider {
  readonly url: string;
  close(): void;
}

/** Where a policy provider listens; `ca` when it uses TLS. */
export interface ProviderAddress {
  readonly url: string;
  readonly ca?: string;
}

const STATE = Buffer.from('{"state":{"session":"3f2a8c1e9b"},');

/**
 * A policy provider that costs as little as it can: a payload is also a valid answer, so it allows everything by sending back
 * what it got, with a `state` for the request call.
 */
export async function startEchoProvider(options: EchoOptions = {}): Promise<EchoProvider> {
  const ready = new Map(
    Object.entries(options.answers ?? {}).map(([target, answer]) => [
      target,
      [Buffer.from(JSON.stringify(answer))],
    ]),
  );
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const target = request.url ?? '';
      options.onCall?.(target, Buffer.concat(chunks));
      const parts = ready.get(target) ?? (target.endsWith('/request') ? withState(chunks) : chunks);
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': length });
      for (const part of parts) response.write(part);
      response.end();
    });
  };
  const keepAlive = { keepAliveTimeout: 60_000 };
  const { tls } = options;
  const server =
    tls === undefined ? createPlain(keepAlive, listener) : createSecure({ ...tls, ...keepAlive }, listener);
  const port = await listen(server);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function withState([first = Buffer.from('{}'), ...rest]: readonly Buffer[]): readonly Buffer[] {
  return [STATE, first.subarray(1), ...rest];
}

/** The same in a process of its own; with `secure` over TLS. */
export async function startEchoProcess(
  closing: Closing,
  options: { readonly secure?: boolean; readonly answers?: ReadyAnswers } = {},
): Promise<ProviderAddress> {
  const args = [JSON.stringify(options)];
  const provider = await startProcess<ProviderAddress>('./echo-process.ts', import.meta.url, { args });
  closing.add(() => provider.end());
  return provider.ready;
}
