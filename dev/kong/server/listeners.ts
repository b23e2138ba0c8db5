import http2 from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Listen, Settings } from '../config/kong-conf.js';
import type { ConnectionInfo, TlsInfo } from '../request-context.js';
import type { Gateway } from './gateway.js';
import { serveHttp1 } from './http1-connection.js';
import { serveHttp2Stream } from './http2-connection.js';

let connectionNumber = 0;

/** Opens one of `proxy_listen`'s addresses. What is open is kept in `sockets` and `servers`. */
export async function open(
  where: Listen,
  settings: Settings,
  gateway: Gateway,
  sockets: Set<Socket>,
  servers: Server[],
): Promise<{ port: number; ssl: boolean }> {
  const accept = (socket: Socket, secure?: TLSSocket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const number = ++connectionNumber;
    const info: ConnectionInfo = {
      remoteAddress: (socket.remoteAddress ?? '127.0.0.1').replace(/^::ffff:/, ''),
      remotePort: socket.remotePort ?? 0,
      localAddress: (socket.localAddress ?? '127.0.0.1').replace(/^::ffff:/, ''),
      localPort: socket.localPort ?? 0,
      tls: secure === undefined ? undefined : tlsInfo(secure, settings.askClientCertificate),
      worker: number % settings.workers,
      number,
    };
    if (secure?.alpnProtocol === 'h2') serveHttp2(secure, info, gateway);
    else
      void serveHttp1(socket, info, gateway).catch((error: unknown) => {
        gateway.log.write('alert', `connection failed: ${String(error)}`);
        socket.destroy();
      });
  };
  const server = where.ssl
    ? tlsServer(where, settings, accept)
    : createServer({ allowHalfOpen: true }, accept);
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Kong's own backlog: a burst must not wait for the kernel to ask again.
    server.listen({ port: where.port, host: where.host, backlog: 16_384 }, resolve);
  });
  return { port: (server.address() as AddressInfo).port, ssl: where.ssl };
}

function tlsServer(
  where: Listen,
  settings: Settings,
  accept: (socket: Socket, secure: TLSSocket) => void,
): Server {
  if (settings.tls === undefined) throw new Error('an ssl listener needs ssl_cert and ssl_cert_key');
  const server = createTlsServer({
    cert: settings.tls.cert,
    key: settings.tls.key,
    requestCert: settings.askClientCertificate,
    rejectUnauthorized: false,
    ALPNProtocols: where.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
  });
  server.on('secureConnection', (socket) => accept(socket, socket));
  server.on('tlsClientError', () => undefined);
  return server;
}

function serveHttp2(socket: TLSSocket, info: ConnectionInfo, gateway: Gateway): void {
  const server = http2.createServer({ settings: { maxHeaderListSize: 1 << 20 }, maxSessionMemory: 64 });
  server.on('session', (session) => session.on('error', () => undefined));
  // Node's types leave out the fourth argument, the headers as received.
  const onStream = (
    stream: http2.ServerHttp2Stream,
    _headers: unknown,
    _flags: unknown,
    raw: string[],
  ): void => {
    void serveHttp2Stream(stream, raw, info, gateway).catch((error: unknown) => {
      gateway.log.write('alert', `stream failed: ${String(error)}`);
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    });
  };
  (server as NodeJS.EventEmitter).on('stream', onStream);
  server.emit('connection', socket);
}

/** What nginx's `$ssl_…` variables tell of a connection. */
function tlsInfo(socket: TLSSocket, asked: boolean): TlsInfo {
  const certificate = asked ? socket.getPeerX509Certificate() : undefined;
  const error = socket.authorizationError;
  const subject = certificate?.subject.split('\n').reverse().join(',');
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    serverName: typeof socket.servername === 'string' ? socket.servername : undefined,
    clientCertificate: certificate?.toString(),
    clientSubject: subject,
    clientFingerprint: certificate?.fingerprint.replaceAll(':', '').toLowerCase(),
    verify: verifyResult(certificate === undefined, error),
  };
}

const WORDS: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unable to get local issuer certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unable to get local issuer certificate',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in certificate chain',
  CERT_HAS_EXPIRED: 'certificate has expired',
};

function verifyResult(none: boolean, error: Error | string | null | undefined): string {
  if (none) return 'NONE';
  if (error === null || error === undefined) return 'SUCCESS';
  const code = typeof error === 'string' ? error : ((error as NodeJS.ErrnoException).code ?? error.message);
  return `FAILED:${WORDS[code] ?? code}`;
}
