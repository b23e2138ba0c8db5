import { X509Certificate } from 'node:crypto';
import { createSecureContext, TLSSocket } from 'node:tls';
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { Avoidance, type Clock } from './circuit.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';

/** Connections are renewed this often, so that a changed DNS entry is followed. */
export const CONNECTION_MAX_AGE_MS = 60_000;

/** Enough for proxies that add a lot; an endless head ends here. */
const MAX_HEAD_BYTES = 65_536;

/** How to reach one host: everything that makes one connection differ from another. */
export interface ConnectSettings {
  readonly connectTimeoutMs: number;
  readonly verify: boolean;
  readonly caCertificate: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
  readonly serverName: string | undefined;
}

export interface PoolSettings extends ConnectSettings {
  readonly keepAliveMs: number;
  readonly connections: number;
  readonly maxQueued: number;
}

/** What an exchange adds to undici's options, in order to learn which connection carries it. */
export interface CarriedOptions extends Dispatcher.DispatchOptions {
  readonly exchange: { carriedBy(client: ReusedClient): void };
}

/** undici's client of one connection, which counts the answers that its present connection has carried. */
export class ReusedClient extends Client {
  answers = 0;

  constructor(origin: string | URL, options: Client.Options) {
    super(origin, options);
    this.on('connect', () => {
      this.answers = 0;
    });
  }

  override dispatch(
    options: Partial<CarriedOptions> & Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    options.exchange?.carriedBy(this);
    return super.dispatch(options, handler);
  }
}

/** The connections to one host with one set of TLS settings and limits, shared by all instances that want the same. */
export class ProviderConnections {
  readonly limiter: ConcurrencyLimiter;
  readonly avoidance: Avoidance;
  readonly #clock: Clock;
  readonly #create: () => Pool;
  #pool: Pool;
  #born: number;
  #destroyed = false;
  /** Pools that were replaced and still carry a call. */
  readonly #retired = new Set<Pool>();
  #lastUsed: number;

  constructor(origin: string, settings: PoolSettings, clock: Clock, connectorFor = createConnector) {
    this.limiter = new ConcurrencyLimiter(settings.connections, settings.maxQueued);
    this.avoidance = new Avoidance(clock);
    this.#clock = clock;
    const connect = connectorFor(settings);
    this.#create = () =>
      new Pool(origin, {
        connect,
        connections: settings.connections,
        pipelining: 1,
        keepAliveTimeout: settings.keepAliveMs,
        keepAliveMaxTimeout: settings.keepAliveMs,
        maxHeaderSize: MAX_HEAD_BYTES,
        factory: (url, options) => new ReusedClient(url, options),
      });
    this.#pool = this.#create();
    this.#born = this.#lastUsed = clock.now();
  }

  /** The pool to use now. Ask for every call: it changes. */
  get pool(): Pool {
    this.#lastUsed = this.#clock.now();
    if (this.#lastUsed - this.#born > CONNECTION_MAX_AGE_MS) this.renew(this.#pool);
    return this.#pool;
  }

  /** Ended after long disuse; whoever comes back has to get others. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Milliseconds since the last call; 0 while one is under way. */
  get idleMs(): number {
    return this.limiter.taken > 0 ? 0 : this.#clock.now() - this.#lastUsed;
  }

  get stats(): { readonly connected: number; readonly free: number } {
    const { connected, free } = this.#pool.stats;
    return { connected, free };
  }

  /** Only new connections from now on, unless somebody has seen to it since `seen` was handed out. */
  renew(seen: Pool): void {
    if (seen !== this.#pool) return;
    this.#retire(this.#pool);
    this.#pool = this.#create();
    this.#born = this.#clock.now();
  }

  /** Ends everything at once; calls under way fail. */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    await Promise.all([this.#pool, ...this.#retired].map((pool) => pool.destroy()));
  }

  #retire(pool: Pool): void {
    this.#retired.add(pool);
    // Waits for the calls under way; they are bounded by their deadline.
    void pool.close().then(
      () => this.#retired.delete(pool),
      () => this.#retired.delete(pool),
    );
  }
}

/** Certificates of handshakes that failed, by the error they failed with; Node's errors do not carry them. */
const peerCertificates = new WeakMap<object, Buffer>();

export function peerCertificateOf(error: unknown): X509Certificate | undefined {
  const der = typeof error === 'object' && error !== null ? peerCertificates.get(error) : undefined;
  return der && new X509Certificate(der);
}

/** Opens connections for undici's pool: TLS 1.2 or newer, and the provider's certificate kept for the log when it is refused. */
export function createConnector(settings: ConnectSettings): buildConnector.connector {
  const { caCertificate, clientCertificate, clientKey, serverName } = settings;
  const connector = buildConnector({
    timeout: settings.connectTimeoutMs,
    rejectUnauthorized: settings.verify,
    // Made once: reading the certificates anew for every connection would cost more than the handshake.
    secureContext: createSecureContext({
      minVersion: 'TLSv1.2',
      ...(caCertificate !== undefined && { ca: caCertificate, allowPartialTrustChain: true }),
      ...(clientCertificate !== undefined && { cert: clientCertificate }),
      ...(clientKey !== undefined && { key: clientKey }),
    }),
    ...(serverName !== undefined && { servername: serverName }),
  });
  // undici's type says void, but it returns the socket. Should it stop doing so, only the log line gets poorer.
  const connect = connector as (...parameters: Parameters<typeof connector>) => unknown;
  return (options, callback) => {
    let certificate: Buffer | undefined;
    const socket = connect(options, (...result) => {
      const [error] = result;
      if (error !== null && certificate !== undefined) peerCertificates.set(error, certificate);
      callback(...result);
    });
    if (socket instanceof TLSSocket) {
      // Before Node checks the certificate and, if it is wrong, destroys the socket and all that is known of it.
      socket.prependOnceListener('secure', () => {
        // Not getPeerX509Certificate: on Node 20 the check that follows would then find an empty certificate.
        certificate = socket.getPeerCertificate().raw;
      });
      // An alert that comes after the handshake (TLS 1.3 judges the client certificate late) is followed by the end of
      // the stream, and undici would report only that.
      socket.once('error', (error) => socket.destroy(error));
    }
  };
}
