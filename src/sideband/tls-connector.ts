import { X509Certificate } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { isIP } from 'node:net';
import { devNull } from 'node:os';
import { createSecureContext, TLSSocket } from 'node:tls';
import { buildConnector } from 'undici';
import { measureThreadPool } from './call-deadline.js';

/** How to reach one host: everything that makes one connection differ from another. */
export interface ConnectSettings {
  readonly connectTimeoutMs: number;
  readonly verify: boolean;
  readonly caCertificate: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
  readonly serverName: string | undefined;
}

/** Certificates of handshakes that failed, by the error they failed with; Node's errors do not carry them. */
const peerCertificates = new WeakMap<object, Buffer>();

export function peerCertificateOf(error: unknown): X509Certificate | undefined {
  const der = typeof error === 'object' && error !== null ? peerCertificates.get(error) : undefined;
  return der && new X509Certificate(der);
}

/** Also when the file of hosts or a socket to the name server could not be opened. */
const LOOKUP_FAILED: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_SYSTEM']);

function codeOf(error: Error): unknown {
  return 'code' in error ? error.code : undefined;
}

function canOpenFile(): boolean {
  try {
    closeSync(openSync(devNull, 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Opens connections for undici's pool: TLS 1.2 or newer, and the provider's certificate kept for the log when it is refused. */
export function createConnector(settings: ConnectSettings): buildConnector.connector {
  const { caCertificate, clientCertificate, clientKey, serverName } = settings;
  const connector = buildConnector({
    timeout: settings.connectTimeoutMs,
    rejectUnauthorized: settings.verify,
    // Created once: reading the certificates again for every connection would cost more than the handshake.
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
    if (isIP(options.hostname) === 0) measureThreadPool();
    let certificate: Buffer | undefined;
    const socket = connect(options, (...result) => {
      const [error] = result;
      if (error !== null && LOOKUP_FAILED.has(codeOf(error)) && !canOpenFile()) {
        callback(
          Object.assign(new Error('no file descriptor is left to look up the host name'), { code: 'EMFILE' }),
          null,
        );
        return;
      }
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
