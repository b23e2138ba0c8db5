import type { TLSSocket } from 'node:tls';
import type { TlsInfo } from '../request-context.js';

/** What nginx's `$ssl_…` variables tell of a connection. */
export function tlsInfo(socket: TLSSocket, asked: boolean): TlsInfo {
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
