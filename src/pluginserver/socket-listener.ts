import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { linkSync, lstatSync, readFileSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { rarely, type ServerLogger } from './options.js';

export interface ListenOptions {
  readonly socketPath: string;
  /** Take the path over from a server that still listens there. */
  readonly takeover: boolean;
  /** Permission bits of the socket. */
  readonly socketMode: number;
  readonly logger: ServerLogger;
}

/** The socket cannot be opened; the message says why and what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** What fits into a `sockaddr_un` on Linux, without the closing NUL. macOS has four less. */
const MAX_PATH_BYTES = 103;
const ACCEPT_LOG_MS = 10_000;
const PROBE_TIMEOUT_MS = 1_000;
/** Kong opens connections in bursts, and gives a request 500 when the queue of the socket is full. */
const WANTED_QUEUE = 4096;

/**
 * A unix socket at a path that several servers may claim in turn: while Kong reloads, the old and the new one live side by
 * side. A server binds to a name of its own and renames it to the path, so there is no moment without a socket, and it
 * unlinks the path at the end only if its own socket is still there.
 */
export class SocketListener {
  readonly path: string;
  readonly #server: Server;
  readonly #own: Stats;
  #closed = false;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    this.#own = lstatSync(path);
  }

  /**
   * @param pauseOnConnect hand out connections before anything is read from them, for passing on to another process
   * @throws ListenError when the path is in use, is no socket, is too long or its folder is not writable.
   */
  static async listen(
    options: ListenOptions,
    onConnection: (socket: Socket) => void,
    pauseOnConnect = false,
  ): Promise<SocketListener> {
    const { socketPath: path } = options;
    await assertSocketFree(path, options.takeover);
    const temporary = temporaryName(path);
    const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(temporary));
    if (longest > MAX_PATH_BYTES) {
      throw new ListenError(
        `socket path ${path} is too long: use one of at most ${MAX_PATH_BYTES - 7} bytes`,
      );
    }
    const server = createServer({ pauseOnConnect }, (socket) => {
      // A connection that breaks before somebody else listens must not end the process.
      socket.on('error', () => {});
      onConnection(socket);
    });
    try {
      // Kong starts this process with umask 0. The socket must never be open to others, not even until a chmod.
      const umask = process.umask(0o777 & ~options.socketMode);
      try {
        // Binds before it returns.
        server.listen({ path: temporary, backlog: longestQueue() ?? WANTED_QUEUE });
      } finally {
        process.umask(umask);
      }
      await once(server, 'listening');
      renameSync(temporary, path);
    } catch (cause) {
      server.close();
      const reason = cause instanceof Error ? cause.message : String(cause);
      const remedy = 'its folder must exist and be writable for the user that runs this process';
      throw new ListenError(`cannot open the socket ${path}: ${reason}; ${remedy}`, { cause });
    }
    server.on('error', acceptErrorLog(options.logger));
    return new SocketListener(path, server);
  }

  /** Another server has taken the path over: no new connections will come. */
  get superseded(): boolean {
    return !this.#isOwn(lstatSync(this.path, { throwIfNoEntry: false }));
  }

  /** Stops accepting; connections that wait in the kernel's queue are still taken. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.superseded) this.#removeOwn();
    // Two turns of the event loop: one accepts what is in the queue, one lets its handlers run.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    this.#server.close();
  }

  #isOwn(found: Stats | undefined): boolean {
    return found !== undefined && found.ino === this.#own.ino && found.dev === this.#own.dev;
  }

  /**
   * Another server may take the path over between the look at it and its removal. So the socket is moved aside first, which
   * is atomic, and what turns out to be another server's is put back.
   */
  #removeOwn(): void {
    const aside = temporaryName(this.path);
    renameSync(this.path, aside);
    if (!this.#isOwn(lstatSync(aside))) {
      try {
        linkSync(aside, this.path);
      } catch {
        // A third server has taken the path meanwhile.
      }
    }
    unlinkSync(aside);
  }
}

/** A name beside the socket that no other server uses. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${randomBytes(3).toString('hex')}`);
}

/** Logs failed accepts; without file descriptors there can be thousands a second. */
function acceptErrorLog(logger: ServerLogger): (error: Error) => void {
  let last: Error | undefined;
  const log = rarely(ACCEPT_LOG_MS, (times) =>
    logger.error({ event: 'accept_failed', times, err: last }, 'connections of Kong could not be accepted'),
  );
  return (error) => {
    last = error;
    log();
  };
}

/** @throws ListenError when something is at the path that this server must not replace. */
export async function assertSocketFree(path: string, takeover: boolean): Promise<void> {
  const present = lstatSync(path, { throwIfNoEntry: false });
  if (present === undefined) return;
  if (!present.isSocket()) {
    throw new ListenError(`${path} exists and is no socket: choose another --socket or remove it`);
  }
  if (!takeover && (await answers(path))) {
    throw new ListenError(`another server listens on ${path}: stop it, or take its place with --takeover`);
  }
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return true;
  } catch (error) {
    // A server that is stopped (SIGSTOP) or has a full queue is alive all the same.
    return error instanceof Error && error.name === 'AbortError';
  } finally {
    socket.destroy();
  }
}

/** A number that the kernel tells in a file (Linux). */
function kernelLimit(file: string, pattern: RegExp): number | undefined {
  try {
    const [, limit] = pattern.exec(readFileSync(file, 'utf8')) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** How many connections may wait to be accepted. */
function longestQueue(): number | undefined {
  return kernelLimit('/proc/sys/net/core/somaxconn', /^(\d+)/);
}

/** Warns when the kernel lets fewer connections wait than a burst of requests brings. */
export function checkQueue(logger: ServerLogger, limit = longestQueue()): void {
  if (limit === undefined || limit >= WANTED_QUEUE) return;
  logger.warn(
    { event: 'listen_queue', limit, remedy: `sysctl -w net.core.somaxconn=${WANTED_QUEUE}` },
    'the listen queue of the socket is short: in a burst Kong answers 500 for connections beyond it',
  );
}

/** Log, standard streams, the plugin's own connections. */
const RESERVE = 256;

/**
 * Warns when the process may not open as many files as it takes connections. Without a descriptor the kernel's queue can only
 * be emptied by closing, and Kong answers a close by trying again at once, without limit.
 */
export function checkFileLimit(maxConnections: number, logger: ServerLogger): void {
  // The soft limit: Node raises it to the hard limit by itself.
  const limit = kernelLimit('/proc/self/limits', /^Max open files\s+(\d+)/m);
  if (limit === undefined || limit >= maxConnections + RESERVE) return;
  const remedy = `raise the limit of open files to ${maxConnections + RESERVE}, or lower --max-connections`;
  logger.warn(
    { event: 'file_limit', limit, maxConnections, remedy },
    'the limit of open files is too low for --max-connections',
  );
}
