import type { ErrorCode } from '../errors/catalogue.js';
import { peerCertificateOf } from './connector.js';
import { describeTlsFailure, isTlsFailure } from './tls-failure.js';

export interface NetworkProblem {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** How far the answer had come. */
interface Arrived {
  readonly bytesArrived: boolean;
  readonly headArrived: boolean;
}

/** What an exchange that brought no answer means. */
export function networkProblem(error: unknown, { bytesArrived, headArrived }: Arrived): NetworkProblem {
  const { code, message } = codeAndMessage(error);

  // A wrong certificate, no common version, or no TLS on that port at all.
  if (isTlsFailure(code)) {
    return { code: 'provider_tls_failed', detail: describeTlsFailure(code, peerCertificateOf(error)) };
  }
  switch (code) {
    case 'ENOTFOUND': // the name does not exist
    case 'EAI_AGAIN': // no name server answers
      return unreachable(`the host name cannot be resolved (${code}); check service_url and DNS`);
    case 'ECONNREFUSED': // nobody listens: provider stopped, wrong port, PingAccess without its sideband listener
      return unreachable(
        'connection refused (ECONNREFUSED); check host and port, and that the sideband listener is on',
      );
    case 'EHOSTUNREACH': // no route to the machine
    case 'ENETUNREACH': // no route to the network
    case 'EACCES': // forbidden by a local firewall
      return unreachable(`no connection (${code})`);
    case 'EADDRNOTAVAIL': // no local port left
    case 'EMFILE': // no file descriptor left in this process
    case 'ENFILE': // none left on this machine
      // Not the provider's fault, and many clients can bring it about: must not count as unreachable.
      return {
        code: 'server_overloaded',
        detail: `no connection to the policy provider can be opened (${code})`,
      };
    case 'ETIMEDOUT': // the kernel gave up
    case 'UND_ERR_CONNECT_TIMEOUT': // a firewall swallows the packets, or the TLS handshake never ends
      return {
        code: 'provider_timeout',
        detail: 'no connection within the connect timeout; is a firewall in between?',
      };
    case 'UND_ERR_HEADERS_OVERFLOW': // headers without end
      return { code: 'provider_answer_too_large', detail: 'the headers of the answer are too large' };
    default:
  }
  // 100 Continue and 101 Switching Protocols, which nobody asked for; undici has one code for all its socket errors.
  if (code === 'UND_ERR_SOCKET' && (message === 'bad response' || message === 'bad upgrade')) {
    return { code: 'provider_unexpected_status', detail: 'the provider answered with 100 or 101, unasked' };
  }
  // The end came too early: fewer bytes than announced, or within a chunk.
  if ((code === CUT || isParserError(code)) && headArrived && (code === CUT || message.includes('EOF'))) {
    return unreachable('the connection was lost within the answer');
  }
  // Something answers there, but not with HTTP: another service, or TLS on a port that was called with http://. undici
  // reports a broken head with a length in it as one that does not match, too.
  if (code === CUT || isParserError(code)) {
    return {
      code: 'provider_not_json',
      detail: `the answer is not HTTP; check scheme and port of service_url`,
    };
  }
  if (LOST.has(code))
    return unreachable(
      `the connection was lost ${bytesArrived ? 'within the answer' : 'before an answer'} (${code})`,
    );
  // Nothing that is known to happen on a network, so most likely a fault of ours: never a reason to fail open.
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

function codeAndMessage(error: unknown): { code: string; message: string } {
  // A host with several addresses fails with one error for each of them.
  const one = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  if (!(one instanceof Error)) return { code: 'unknown', message: '' };
  const code = 'code' in one && typeof one.code === 'string' ? one.code : one.name;
  return { code, message: one.message };
}
