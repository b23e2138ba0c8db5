import type { X509Certificate } from 'node:crypto';
import type { ErrorCode } from '../errors/catalogue.js';
import { peerCertificateOf } from './tls-connector.js';
import { logText } from './wire-answers.js';

export interface NetworkProblem {
  readonly code: ErrorCode;
  readonly detail: string;
  /** It ended because time passed, or may have: if that time was lost in ping-auth, the provider is not to blame. */
  readonly timed?: 'out' | 'perhaps';
}

/** How far the call had come. */
interface Progress {
  /** Whether any byte of the call was written. */
  readonly sent: boolean;
  readonly bytesArrived: boolean;
  readonly headArrived: boolean;
}

/** What an exchange that brought no answer means. */
export function networkProblem(
  error: unknown,
  { sent, bytesArrived, headArrived }: Progress,
): NetworkProblem {
  const { code, message } = codeAndMessage(error);

  // A wrong certificate, no common version, or no TLS on that port at all.
  if (isTlsFailure(code)) {
    return { code: 'provider_tls_failed', detail: describeTlsFailure(code, peerCertificateOf(error)) };
  }
  switch (code) {
    case 'ENOTFOUND': // the name does not exist
    case 'EAI_AGAIN': // no name server answers
      return unreachable(`the host name cannot be resolved (${code}); check service_url and DNS`);
    case 'ECONNREFUSED': // no listener: provider stopped, wrong port, PingAccess without its sideband listener
      return unreachable(
        'connection refused (ECONNREFUSED); check host and port, and that the sideband listener is on',
      );
    case 'EHOSTUNREACH': // no route to the machine
    case 'ENETUNREACH': // no route to the network
    case 'EACCES': // forbidden by a local firewall
    case 'EPERM': // so is this
      return unreachable(`no connection (${code})`);
    case 'EADDRNOTAVAIL': // no local port left
    case 'EMFILE': // no file descriptor left in this process
    case 'ENFILE': // none left on this machine
    case 'ENOBUFS': // no memory left for sockets
    case 'ENOMEM':
      // Not the provider's fault, and many clients can bring it about: must not count as unreachable.
      return {
        code: 'server_overloaded',
        detail: `no connection to the policy provider can be opened (${code})`,
      };
    case 'ETIMEDOUT': // the kernel gave up
    case 'UND_ERR_CONNECT_TIMEOUT': // a firewall swallows the packets, or the TLS handshake never ends
      return {
        code: 'provider_timeout',
        detail: 'no connection within the connect timeout; look for a firewall in between',
        timed: 'out',
      };
    case 'UND_ERR_HEADERS_OVERFLOW': // headers without end
      return { code: 'provider_answer_too_large', detail: 'the headers of the answer are too large' };
    default:
  }
  // 100 Continue and 101 Switching Protocols, unrequested; undici has one code for all its socket errors.
  if (code === 'UND_ERR_SOCKET' && (message === 'bad response' || message === 'bad upgrade')) {
    return {
      code: 'provider_unexpected_status',
      detail: 'the provider answered with an unrequested 100 or 101',
    };
  }
  // The end came too early: fewer bytes than announced, or within a chunk.
  if ((code === CUT || isParserError(code)) && headArrived && (code === CUT || message.includes('EOF'))) {
    return lost('the connection was lost within the answer');
  }
  // Something answers there, but not with HTTP: another service, or TLS on a port that was called with http://. undici
  // reports a broken head with a length in it as one that does not match, too.
  if (code === CUT || isParserError(code)) {
    return {
      code: 'provider_not_json',
      detail: `the answer is not HTTP; check scheme and port of service_url`,
    };
  }
  if (LOST.has(code)) {
    // A server that waits too long for a handshake or a request closes the connection.
    const timed = 'perhaps';
    if (!sent) return { ...unreachable(`the connection was lost before the call was sent (${code})`), timed };
    return lost(
      `the connection was lost ${bytesArrived ? 'within the answer' : 'before an answer'} (${code})`,
    );
  }
  // No known network error, so most likely a fault in ping-auth: never a reason to fail open.
  return {
    code: 'internal_error',
    detail: `unexpected error in the sideband call: ${code} ${message}`.trim(),
  };
}

/** Killed, restarted, or a proxy in between closed the connection. */
const LOST = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'UND_ERR_SOCKET']);

const CUT = 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';

/** undici fills in the parser's own code in some versions only. */
function isParserError(code: string): boolean {
  return code.startsWith('HPE_') || code === 'HTTPParserError';
}

function unreachable(detail: string): NetworkProblem {
  return { code: 'provider_unreachable', detail };
}

function lost(detail: string): NetworkProblem {
  return { code: 'provider_connection_lost', detail, timed: 'perhaps' };
}

function codeAndMessage(error: unknown): { code: string; message: string } {
  // A host with several addresses fails with one error for each of them.
  const one = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  if (!(one instanceof Error)) return { code: 'unknown', message: '' };
  const code = 'code' in one && typeof one.code === 'string' ? one.code : one.name;
  return { code, message: one.message };
}

/** Which check failed, by the code of Node or OpenSSL, in words that say what to do. */
const CHECKS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate, or one of its issuers, has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet; is the clock right?',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed and not trusted; put it into ca_certificate',
  SELF_SIGNED_CERT_IN_CHAIN:
    'the chain ends in an authority that is not trusted; put that authority into ca_certificate',
  UNABLE_TO_GET_ISSUER_CERT:
    'an issuer in the chain is unknown; put the authority into ca_certificate or let the provider send its chain',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'the issuer is unknown; put the authority into ca_certificate or let the provider send its chain',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the issuer is unknown; put the authority into ca_certificate or let the provider send its chain',
  CERT_SIGNATURE_FAILURE: 'the signature of the certificate is wrong',
  CERT_REVOKED: 'the certificate has been revoked',
  CERT_UNTRUSTED: 'the authority is not trusted for this purpose',
  INVALID_PURPOSE: 'the certificate is not made for servers',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate is for another host; correct service_url or set tls_server_name to a name in the certificate',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the answer is not TLS; is this a plain http:// port?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the answer is not TLS; is this a plain http:// port?',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'no common TLS version; TLS 1.2 is the oldest supported',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'no common TLS version; TLS 1.2 is the oldest supported',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'the provider asks for a client certificate; set client_certificate and client_key',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'the provider ended the handshake: no common cipher, or it asks for a client certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the provider does not trust client_certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the provider refuses client_certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the provider says that client_certificate has expired',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'the provider does not know the host name; set tls_server_name',
};

/** Codes of certificate checks that Node passes on from OpenSSL. */
const CERTIFICATE_CODES =
  /^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERROR_IN_CERT)/;

/** TLS itself failed: the handshake, or an alert that arrives after it (TLS 1.3 judges a client certificate late). */
export function isTlsFailure(code: string): boolean {
  return (
    code === 'EPROTO' ||
    code.startsWith('ERR_TLS_') ||
    code.startsWith('ERR_SSL_') ||
    CERTIFICATE_CODES.test(code)
  );
}

/** The failed check and, when the provider showed a certificate, whose it is, who issued it and how long it is valid. */
export function describeTlsFailure(code: string, certificate: X509Certificate | undefined): string {
  const check = CHECKS[code] ?? 'the TLS handshake failed';
  if (certificate === undefined) return `${check} (${code})`;
  const names =
    certificate.subjectAltName === undefined ? '' : `, names "${oneLine(certificate.subjectAltName)}"`;
  return (
    `${check} (${code}); subject "${oneLine(certificate.subject)}", issuer "${oneLine(certificate.issuer)}", ` +
    `valid from ${certificate.validFrom} to ${certificate.validTo}${names}`
  );
}

/** The names of a certificate stand on lines of their own; Node has undefined for one without any. */
function oneLine(names: string | undefined): string {
  return logText(names?.trim().replaceAll('\n', ', ')) ?? '';
}
