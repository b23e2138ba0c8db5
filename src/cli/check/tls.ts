import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, createSecureContext, type TLSSocket } from 'node:tls';
import type { PluginConfig } from '../../config/schema.js';
import { describeTlsFailure } from '../../sideband/network-error.js';
import { type Finding, failed, ok, warning } from './finding.js';
import type { Target } from './network.js';
import type { Product } from './product.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Renewals are due by then at the latest. */
const SOON_DAYS = 30;

interface Handshake {
  readonly version: string;
  readonly leaf: X509Certificate | undefined;
  /** Why the chain is not trusted, or undefined. */
  readonly distrust: string | undefined;
  readonly wrongName: boolean;
}

/** The handshake that the plugin will make, but carried through whatever the certificate is, to say all about it at once. */
export async function checkTls(target: Target, config: PluginConfig, product: Product): Promise<Finding[]> {
  let handshake: Handshake;
  try {
    handshake = await shakeHands(target, config);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
    return [failed('tls', describeTlsFailure(code, undefined), remedyFor(code, target, product))];
  }
  const { leaf, version } = handshake;
  if (leaf === undefined)
    return [failed('tls', 'the provider showed no certificate', product.remedies.certificate)];
  return [...trust(handshake, leaf, config, product), ...validity(leaf, version, product)];
}

function trust(
  handshake: Handshake,
  leaf: X509Certificate,
  config: PluginConfig,
  product: Product,
): Finding[] {
  const problems: Finding[] = [];
  if (handshake.distrust !== undefined && handshake.distrust !== 'CERT_HAS_EXPIRED') {
    problems.push(failed('tls', describeTlsFailure(handshake.distrust, leaf), product.remedies.certificate));
  }
  if (handshake.wrongName) {
    problems.push(
      failed(
        'tls',
        describeTlsFailure('ERR_TLS_CERT_ALTNAME_INVALID', leaf),
        `Kong: use a name of the certificate in service_url, or set tls_server_name to it. ${product.name}: or issue a certificate for the name in use.`,
      ),
    );
  }
  if (config.verify_service_certificate) return problems;
  // What would be an error does not stop the plugin here, which is the very problem.
  return [
    ...problems.map((problem) => warning('tls', problem.text, problem.remedy)),
    warning(
      'tls',
      'the certificate is not checked: verify_service_certificate is false',
      'Kong: set ca_certificate and verify_service_certificate: true; otherwise anybody on the network path can answer for the policy provider.',
    ),
  ];
}

function validity(leaf: X509Certificate, version: string, product: Product): Finding[] {
  const days = Math.floor((Date.parse(leaf.validTo) - Date.now()) / DAY_MS);
  const subject = leaf.subject.replaceAll('\n', ', ');
  if (days < 0) {
    return [
      failed(
        'tls',
        `the certificate of ${subject} expired ${-days} days ago (${leaf.validTo})`,
        `${product.name}: renew it.`,
      ),
    ];
  }
  const text = `${version}, certificate of ${subject}, expires in ${days} days (${leaf.validTo})`;
  return [days < SOON_DAYS ? warning('tls', text, `${product.name}: renew it in time.`) : ok('tls', text)];
}

function shakeHands({ host, port }: Target, config: PluginConfig): Promise<Handshake> {
  const name = config.tls_server_name ?? host;
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      host,
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      secureContext: createSecureContext({
        minVersion: 'TLSv1.2',
        ...(config.ca_certificate !== undefined && {
          ca: config.ca_certificate,
          allowPartialTrustChain: true,
        }),
        ...(config.client_certificate !== undefined && { cert: config.client_certificate }),
        ...(config.client_key !== undefined && { key: config.client_key }),
      }),
      ...(isIP(name) === 0 && { servername: name }),
    });
    socket.setTimeout(config.connection_timeout_ms, () => {
      socket.destroy();
      reject(Object.assign(new Error('no handshake in time'), { code: 'ETIMEDOUT' }));
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      // First: after getPeerX509Certificate, Node 20 returns an empty object here.
      const certificate = socket.getPeerCertificate();
      const result = {
        version: socket.getProtocol() ?? 'TLS',
        leaf: socket.getPeerX509Certificate(),
        distrust: socket.authorized ? undefined : errorCode(socket.authorizationError),
        wrongName: checkServerIdentity(name, certificate) !== undefined,
      };
      socket.destroy();
      const nameOnly = result.distrust === 'ERR_TLS_CERT_ALTNAME_INVALID';
      resolve(nameOnly ? { ...result, distrust: undefined } : result);
    });
  });
}

/** Documented as an Error, but as a rule it is the code itself. */
function errorCode(error: unknown): string {
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}

function remedyFor(code: string, { port }: Target, product: Product): string {
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH/.test(code)) {
    return `Port ${port} does not use TLS. Kong: correct the port in service_url. ${product.name}: or turn TLS on there.`;
  }
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA/.test(code)) {
    return `${product.name} asks for a client certificate that it trusts. Kong: set client_certificate and client_key of the plugin.`;
  }
  return `${product.name}: check the listener on port ${port}; TLS 1.2 or newer is needed.`;
}
