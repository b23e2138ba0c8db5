import { afterEach, beforeAll } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { createAuthority, type Identity } from './certificates.js';
import { type Answering, type HostileProvider, startHostileProvider } from './hostile-provider.js';
import { PUNCTUAL_CLOCK, testClient } from './sideband-clients.js';

export interface HostileSetup {
  /** PEM of the CA behind the providers. */
  ca(): string;
  /** Closed after each test. */
  readonly closing: Closing;
  /** A provider that is closed after the test. */
  provider(answering: Answering, port?: number): Promise<HostileProvider>;
  /** Short deadlines, so that all the waiting takes no time. */
  client(service_url: string, config?: Readonly<Record<string, unknown>>): ReturnType<typeof testClient>;
}

/** Providers that do as a test says, and clients with the real clock. Call it once at the top of a test file. */
export function hostileSetup(): HostileSetup {
  const closing = new Closing();
  let ca = '';
  let identity: Identity;
  beforeAll(async () => {
    const authority = await createAuthority();
    ca = authority.cert;
    identity = await authority.issueServer(['localhost', '127.0.0.1']);
  });
  afterEach(() => closing.close());
  return {
    ca: () => ca,
    closing,
    async provider(answering, port = 0) {
      const started = await startHostileProvider(identity, answering, port);
      closing.add(() => started.close());
      return started;
    },
    client(service_url, config = {}) {
      const runtime = new SidebandRuntime(PUNCTUAL_CLOCK);
      closing.add(() => runtime.close());
      return testClient({ service_url, ca_certificate: ca, call_timeout_ms: 2000, ...config }, { runtime });
    },
  };
}
