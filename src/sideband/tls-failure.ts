import type { X509Certificate } from 'node:crypto';

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
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'no common TLS version; TLS 1.2 is the oldest spoken here',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'no common TLS version; TLS 1.2 is the oldest spoken here',
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
    certificate.subjectAltName === undefined ? '' : `, names "${printable(certificate.subjectAltName)}"`;
  return (
    `${check} (${code}); subject "${printable(certificate.subject)}", issuer "${printable(certificate.issuer)}", ` +
    `valid from ${certificate.validFrom} to ${certificate.validTo}${names}`
  );
}

/** Names in a certificate are the provider's text: one line, no control characters, not endless. */
function printable(text: string | undefined): string {
  const oneLine = (text ?? '').trim().replaceAll('\n', ', ');
  return oneLine.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
}
