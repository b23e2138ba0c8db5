// Certificates for tests, over those of dev/: an authority, server and client certificates, and wrong ones of every kind.
import { createAuthority as createCa, createSelfSigned, type KeyPair } from '../../dev/certificates.js';

const DAY_MS = 86_400_000;

/** A certificate with its private key, both as PEM: what `tls.createServer` and `tls.connect` take. */
export type Identity = KeyPair;

export interface Authority {
  /** PEM. */
  readonly cert: string;
  /** A certificate for these host names and IP addresses, valid now unless told otherwise. */
  issueServer(names: readonly string[], validity?: Validity): Promise<Identity>;
  issueClient(commonName: string): Promise<Identity>;
  /** The same from an authority below this one; the certificates of both, leaf first. */
  issueClientChain(commonName: string): Promise<Identity>;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export const EXPIRED = days(-30, -1);
export const NOT_YET_VALID = days(1, 30);

/** Days from now; negative is in the past. */
function days(from: number, to: number): Validity {
  return {
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + to * DAY_MS),
  };
}

export async function createAuthority(commonName = 'Test Authority'): Promise<Authority> {
  const authority = await createCa(commonName);
  return {
    cert: authority.cert,
    issueServer: (names, validity) => authority.issue({ names, ...validity }),
    issueClient: (commonName) => authority.issue({ commonName, usage: 'client' }),
    issueClientChain: async (commonName) => {
      const intermediate = await authority.issueAuthority('Test Intermediate Authority');
      const { cert, key } = await intermediate.issue({ commonName, usage: 'client' });
      return { cert: `${cert}\n${intermediate.cert}`, key };
    },
  };
}

/** A server certificate that only vouches for itself, as many policy providers have it out of the box. */
export function selfSignedServer(names: readonly string[], validity?: Validity): Promise<Identity> {
  return createSelfSigned({ names, ...validity });
}
